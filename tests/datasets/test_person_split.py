from __future__ import annotations

from collections import Counter

from mer.datasets.person_split import SPLITS, person_of, split_of


def test_a_person_is_always_in_the_same_split():
    assert [split_of(name) for name in ("001", "002", "s1")] == [split_of(name) for name in ("001", "002", "s1")]
    assert split_of("004") == "train"  # a change would mix people with those of earlier runs


def test_about_a_tenth_of_the_people_are_in_each_of_val_and_test():
    counts = Counter(split_of(f"person {n}") for n in range(2000))
    assert set(counts) == set(SPLITS)
    assert all(140 < counts[name] < 260 for name in ("val", "test"))


def test_photographs_of_one_person_share_a_name():
    assert person_of("001_03.jpg") == person_of("001_08.jpg") == "001"
    assert person_of("SFHQ_pt1_00000042.jpg") == "SFHQ_pt1_00000042"
