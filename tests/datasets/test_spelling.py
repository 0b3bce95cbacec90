import pytest

from mer.datasets.spelling import clip_spelling, person_spelling


@pytest.mark.parametrize("name", ["006_1", "6_1", "6_01.mp4", " 006_1 ", "006_1.MP4"])
def test_spellings_of_one_clip(name):
    assert clip_spelling(name) == "6_1"


@pytest.mark.parametrize("name", ["EP02.1", "ep2.1"])
def test_a_dot_in_a_name_is_no_ending(name):
    assert clip_spelling(name) == "ep2.1"


@pytest.mark.parametrize("name", ["p1", "P1", "p01", "P 1", "p_001", "p-1"])
def test_spellings_of_one_person(name):
    assert person_spelling(name) == "p1"


@pytest.mark.parametrize(("one", "other"), [("p1", "p11"), ("s1", "p1"), ("1_2", "12"), ("10", "1")])
def test_different_people_stay_different(one, other):
    assert person_spelling(one) != person_spelling(other)
