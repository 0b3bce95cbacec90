import pytest

from mer.datasets import DATASETS
from mer.datasets.database import Published, numbered_subject, subject_in_name


@pytest.mark.parametrize("text", ["1", "01", " 001 ", "sub1", "Sub 1", "subject_01", "s01"])
def test_every_spelling_of_a_person_has_one_name(text):
    assert numbered_subject("sub", 2)(text) == "sub01"


@pytest.mark.parametrize("name", ["strip", "", "sub", "x1", "1a"])
def test_other_text_is_not_a_person(name):
    with pytest.raises(ValueError, match="not the name of a person such as 001"):
        numbered_subject("", 3)(name)


def test_trailing_zeros_are_kept():
    assert numbered_subject("", 3)("010") == "010"
    assert numbered_subject("", 3)("20") == "020"


@pytest.mark.parametrize(("name", "subject"), [("S3-01-002", "S03"), ("s13-1-2", "S13"), ("S3-01", None), ("", None)])
def test_the_person_in_the_name_of_a_clip(name, subject):
    assert subject_in_name(numbered_subject("S", 2), r"(S\d+)-\d+-\d+")(name) == subject


def test_the_total_of_an_edition():
    assert Published("a sheet", {"fear": 2, "anger": 3}).total == 5
    assert Published("a paper", {}, clips=57).total == 57


@pytest.mark.parametrize("name", sorted(DATASETS))
def test_the_facts_are_complete(name):
    database = DATASETS[name]
    assert database.name == name
    assert all(label == label.casefold() for label in database.labels)
    assert database.fps > 0
    assert database.layout
    assert set(database.annotated) <= {"apex", "offset", "aus"}
    for edition in database.published:
        assert edition.source
        assert set(edition.labels) <= set(database.labels) or not database.labels
        assert set(edition.unchecked) <= {"labels", "clips", "people"}
