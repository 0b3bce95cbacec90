import pandas as pd
import pytest

from mer.folds import ProtocolError, folds_of, people_of
from mer.samples import conform


def clips(**people: int) -> pd.DataFrame:
    """`a_01=3`: three clips of person 01 of database a."""
    rows = [(*name.rsplit("_", 1), f"c{i}") for name, n in people.items() for i in range(n)]
    return conform(pd.DataFrame(rows, columns=["dataset", "subject", "clip"]))


TABLE = clips(a_01=3, b_01=2, a_02=1, b_02=4, c_03=2)


@pytest.mark.parametrize(
    ("split", "number"),
    [
        ("person", 5),
        ("dataset", 3),
        ({"folds": 2}, 2),
        ({"folds": {"one": ["01", "b/02"], "two": ["a/02", "c/03"]}}, 2),
    ],
)
def test_each_clip_is_tested_once_and_no_person_is_on_both_sides(split, number):
    folds = list(folds_of(TABLE, split))
    people = people_of(TABLE)
    assert len(folds) == number
    assert sorted(row for _, _, test in folds for row in test) == list(range(len(TABLE)))
    for _, train, test in folds:
        assert len(train) + len(test) == len(TABLE)
        assert not set(people[train]) & set(people[test])


@pytest.mark.parametrize("split", ["person", "dataset", {"folds": 2}, {"train": ["a"], "test": ["b"]}])
def test_folds_do_not_depend_on_the_order_of_the_rows(split):
    def tested(table: pd.DataFrame) -> set:
        return {(name, frozenset(table.index[train]), frozenset(table.index[test])) for name, train, test in
                folds_of(table, split)}  # fmt: skip

    assert tested(TABLE) == tested(TABLE.iloc[::-1])


def test_names_of_folds():
    assert [name for name, _, _ in folds_of(TABLE)] == ["a/01", "a/02", "b/01", "b/02", "c/03"]
    assert [name for name, _, _ in folds_of(TABLE, "dataset")] == ["a", "b", "c"]
    assert [name for name, _, _ in folds_of(TABLE, {"folds": 2})] == ["fold 01", "fold 02"]


def test_some_databases_train_and_others_are_tested():
    ((name, train, test),) = folds_of(TABLE, {"train": ["a", "c"], "test": ["b"]})
    assert name == "a+c to b"
    assert set(TABLE.loc[train, "dataset"]) == {"a", "c"}
    assert set(TABLE.loc[test, "dataset"]) == {"b"}


def test_the_same_people_in_two_databases_are_never_on_both_sides():
    table = clips(samm_006=2, samm_007=1, **{"samm-lv_006": 3, "smic_s01": 2})
    folds = {name: (set(train), set(test)) for name, train, test in folds_of(table, "dataset")}
    assert folds["samm-lv"] == ({2, 6, 7}, {3, 4, 5})  # samm/006 does not train
    assert len(list(folds_of(table))) == 3
    with pytest.raises(ProtocolError, match="nobody is left to train"):
        list(folds_of(clips(samm_006=2, **{"samm-lv_006": 3}), {"train": ["samm"], "test": ["samm-lv"]}))


@pytest.mark.parametrize(
    ("split", "words"),
    [
        ("person", "one person, a/01"),
        ("dataset", "one database, a"),
        ({"folds": 3}, "1 people are too few for 3 folds"),
        ({"folds": {"x": ["02"], "y": ["03"]}}, "no fold has a/01"),
        ({"train": ["a"], "test": ["b"]}, "no clip of b, which test"),
    ],
)
def test_tables_that_a_split_does_not_fit(split, words):
    with pytest.raises(ProtocolError, match=words):
        list(folds_of(clips(a_01=3), split))
