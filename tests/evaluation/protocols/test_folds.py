import pandas as pd
import pytest

from mer.datasets.samples import conform
from mer.evaluation.protocols.folds import ProtocolError, check_split, folds_of, people_of


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
    with pytest.raises(ProtocolError, match="no clip is left to train on"):
        list(folds_of(clips(samm_006=2, **{"samm-lv_006": 3}), {"train": ["samm"], "test": ["samm-lv"]}))


@pytest.mark.parametrize(
    ("split", "words"),
    [
        ("person", "^all clips show one person, a/01; leave-one-subject-out needs two$"),
        ("dataset", "^all clips come from one database, a; leave-one-database-out needs two$"),
        ({"folds": 3}, "1 people are too few for 3 folds"),
        ({"folds": {"x": ["02"], "y": ["03"]}}, "no fold has a/01"),
        ({"train": ["a"], "test": ["b"]}, "no test clip: the table has no clips of b"),
    ],
)
def test_tables_that_do_not_fit_the_split_are_refused(split, words):
    with pytest.raises(ProtocolError, match=words):
        list(folds_of(clips(a_01=3), split))
    with pytest.raises(ProtocolError, match=words):
        list(folds_of(clips(a_01=1), split))


@pytest.mark.parametrize(
    ("split", "names"),
    [
        ("person", ["a/01", "b/02"]),
        ("dataset", ["a", "b"]),
        ({"folds": {"one": ["01"], "two": ["02"]}}, ["one", "two"]),
        ({"folds": 2}, ["fold 01", "fold 02"]),
    ],
)
def test_two_clips_of_two_people_are_enough(split, names):
    folds = list(folds_of(clips(a_01=1, b_02=1), split))
    assert [name for name, _, _ in folds] == names
    assert [train.tolist() for _, train, _ in folds] == [test.tolist() for _, _, test in reversed(folds)]


def test_a_fold_is_named_by_all_its_databases():
    ((name, _, _),) = folds_of(TABLE, {"train": ["a"], "test": ["b", "c"]})
    assert name == "a to b+c"


@pytest.mark.parametrize("version", ["smic-vis", "smic-nir", "smic-e"])
def test_the_cameras_of_smic_saw_the_same_people(version):
    table = clips(smic_s01=1, smic_s02=1, **{f"{version}_s01": 1})
    assert people_of(table).tolist() == ["smic/s01", "smic/s02", "smic/s01"]


def test_as_many_folds_as_people_have_one_person_each():
    assert [len(set(people_of(TABLE)[test])) for _, _, test in folds_of(TABLE, {"folds": 5})] == [1] * 5


def test_a_person_named_with_the_database_comes_before_the_bare_subject():
    split = {"folds": {"x": ["01", "02", "03"], "y": ["b/01"]}}
    folds = {name: set(people_of(TABLE)[test]) for name, _, test in folds_of(TABLE, split)}
    assert folds == {"x": {"a/01", "a/02", "b/02", "c/03"}, "y": {"b/01"}}


def test_five_people_without_a_fold_are_named_and_more_are_others():
    split = {"folds": {"x": ["y"], "z": ["w"]}}
    for n, words in ((5, "no fold has a/0, a/1, a/2, a/3, a/4$"), (6, "a/3, a/4 and others$")):
        with pytest.raises(ProtocolError, match=words):
            list(folds_of(clips(**{f"a_{i}": 1 for i in range(n)}), split))


def test_a_side_without_clips_is_named():
    with pytest.raises(ProtocolError, match="there is no test clip: the table has no clips of d, e"):
        list(folds_of(TABLE, {"train": ["a", "b", "c"], "test": ["d", "e"]}))
    with pytest.raises(ProtocolError, match="there is no train clip: the table has no clips of d"):
        list(folds_of(clips(a_01=3), {"train": ["d"], "test": ["a"]}))


@pytest.mark.parametrize(
    "split",
    ["person", "dataset", {"folds": 2}, {"folds": {"a": ["01"], "b": ["x/02"]}}, {"train": ["a"], "test": ["b", "c"]}],
)
def test_valid_splits(split):
    assert check_split(split) == split


@pytest.mark.parametrize(
    ("split", "words"),
    [
        ("people", r"split is person, dataset, \{folds: ...\}.*found 'people'"),
        (None, "found None"),
        ({"train": ["a"]}, "split is person"),
        ({"train": ["a"], "test": ["b"], "folds": 2}, "split is person"),
        ({"train": ["a"], "test": ["a", "b"]}, "^split: train and test are lists of .* none in common$"),
        ({"train": [], "test": ["b"]}, "lists of databases"),
        ({"train": "a", "test": ["b"]}, "lists of databases"),
        ({"train": ["a"], "test": [1]}, "lists of databases"),
        ({"folds": 1}, "^split: folds is a number above 1, or .* in one fold and in quotes$"),
        ({"folds": True}, "number above 1"),
        ({"folds": {"a": ["01"]}}, "number above 1"),
        ({"folds": {"a": ["01"], "b": ["01"]}}, "each in one fold"),
        ({"folds": {"a": ["01"], "b": "02"}}, "list of people"),
        ({"folds": {"a": ["01"], "b": [2]}}, "in quotes"),
        ({"folds": {"a": ["01"], 2: ["02"]}}, "in quotes"),
    ],
)
def test_invalid_splits_are_refused(split, words):
    with pytest.raises(ValueError, match=words):
        check_split(split)


SPELLED = conform(
    pd.DataFrame(
        [("casme2", name, f"c{i}") for i, name in enumerate(["sub01", "1", "Sub01", "01.0", " 1 ", "sub02", "2"])]
        + [("samm-lv", "6", "d"), ("samm", "006", "e"), ("mine", "1", "f"), ("mine", "sub01", "g")],
        columns=["dataset", "subject", "clip"],
    )
)


def test_a_person_of_a_known_database_is_one_by_any_name():
    assert people_of(SPELLED).tolist() == (
        ["casme2/sub01"] * 5 + ["casme2/sub02"] * 2 + ["samm/006"] * 2 + ["mine/1", "mine/sub01"]
    )
    assert people_of(pd.DataFrame({"dataset": ["mine"], "subject": [" Anna "]})).tolist() == ["mine/Anna"]
    assert people_of(pd.DataFrame({"dataset": ["casme2"], "subject": ["Anna"]})).tolist() == ["casme2/Anna"]


def test_no_spelling_of_a_person_is_on_the_other_side():
    for split in ("person", "dataset", {"folds": 3}, {"train": ["casme2"], "test": ["mine"]}):
        for _, train, test in folds_of(SPELLED, split):
            assert not set(people_of(SPELLED)[train]) & set(people_of(SPELLED)[test])
    names = [name for name, _, _ in folds_of(SPELLED)]
    assert names == ["casme2/sub01", "casme2/sub02", "mine/1", "mine/sub01", "samm/006"]


def test_people_in_named_folds_may_be_spelled_as_in_the_table():
    table = clips(casme2_1=1, casme2_sub01=1, casme2_02=1, **{"smic-vis_s01": 1})
    for first, last in (("1", "smic-vis/s01"), ("sub01", "smic/s01"), ("casme2/sub01", "s01")):
        folds = {"one": [first], "two": ["sub02", last]}
        assert {name: list(test) for name, _, test in folds_of(table, {"folds": folds})} == {
            "one": [0, 1],
            "two": [2, 3],
        }
    with pytest.raises(ProtocolError, match="no fold has casme2/sub01, smic/s01"):
        list(folds_of(table, {"folds": {"one": ["01"], "two": ["02"]}}))
    table.loc[1, "subject"] = "01"  # neither is the name that the database gives
    with pytest.raises(ProtocolError, match="two folds have casme2/sub01, in two spellings"):
        list(folds_of(table, {"folds": {"one": ["1"], "two": ["01", "02", "s01"]}}))
