import pandas as pd
import pytest

from mer.datasets import DATASETS, load_dataset, read_copy
from mer.datasets.check import check_copy
from tests.datasets.copies import SAMM_HEADER, book, frames, samm
from tests.datasets.copies import SAMM_ROWS as ROWS


def test_thirteen_rows_of_text_above_the_headers(tmp_path):
    table = load_dataset("samm", samm(tmp_path, ROWS))
    assert table["subject"].tolist() == ["006", "010", "020"]
    assert table["label"].tolist() == ["anger", "other", "happiness"]
    assert table["aus"].tolist() == ["4+7C", "(R6 or R12)+R15", "4D+ref(6)+7C+43E"]
    assert table[["onset", "apex", "offset"]].to_numpy().tolist() == [[562, 588, 602], [192, 206, 228], [148, 151, 152]]
    assert (table["status"] == "").all()


def test_subjects_that_became_numbers(tmp_path):
    rows = [(int(row[0]), *row[1:]) for row in ROWS]
    assert load_dataset("samm", samm(tmp_path, rows))["subject"].tolist() == ["006", "010", "020"]


def test_frame_numbers_with_any_number_of_digits(tmp_path):
    root = samm(tmp_path, ROWS)
    folder = root / "SAMM" / "006" / "006_1_2"
    for file in list(folder.iterdir()):
        file.rename(folder / f"006_{int(file.stem[4:])}.jpg")
    assert load_dataset("samm", root)["status"].tolist() == [""] * 3


def test_objective_classes(tmp_path):
    table = load_dataset("samm", samm(tmp_path, ROWS), labels="objective")
    assert table["label"].tolist() == ["iii", "vii", "i"]


def test_a_subject_other_than_the_one_in_the_clip_name_is_reported(tmp_path):
    table = load_dataset("samm", samm(tmp_path, [*ROWS, ("007", "006_1_3", 1, 5, 9, "4", "Anger", "III")]))
    row = table[table["clip"] == "006_1_3"].iloc[0]
    assert row["status"] == "bad_annotation"
    assert row["message"] == "row 18 has the subject 007, but the clip's name contains 006"


def long_videos(root):
    """Long videos of two people, and their sheet, which has no emotions."""
    header = ["Subject", "Filename", "Inducement Code", "Onset", "Apex", "Offset", "Duration", "Type", "Action Units"]
    rows = [
        ["006", "006_1_2", 1, 562, 588, 602, 41, "Micro - 1/2", "4"],
        ["006", "006_1_4", 1, 100, 130, 0, 0, "Macro", "12"],
        ["006", "006_1_5", 1, 0, 130, 150, 0, "Macro", "12"],
        ["020", "020_4_2", 1, 148, 151, 0, 5, "Micro - 1/2", "6"],
    ]
    book(root / "SAMM_LongVideos_V1_Release.xlsx", Sheet1=[*([["text"]] * 9), [], header, *rows])
    for video, last in (("006_1", 700), ("020_4", 200)):
        frames(root / "SAMM_longvideos" / video, range(1, last), f"{video}_{{:04d}}.jpg")
    return root


def test_the_emotions_of_long_videos_come_from_the_other_sheet(tmp_path):
    samm(tmp_path / "micro", ROWS)
    root = long_videos(tmp_path / "long")
    book(root / "SAMM_Micro_FACS_Codes_v2.xlsx", MICRO_ONLY=[
        SAMM_HEADER, *[[r[0], r[1], 1, r[2], r[3], r[4], 0, "Micro", r[5], r[6], r[7], None] for r in ROWS]
    ])  # fmt: skip
    table = load_dataset("samm-lv", root)
    assert table[["subject", "clip", "onset", "offset", "label"]].to_numpy().tolist() == [
        ["006", "006_1", 562, 602, "anger"],
        ["020", "020_4", 148, 151, "happiness"],
    ]
    macro = load_dataset("samm-lv", root, macro=True)
    assert macro[["clip", "onset", "apex", "offset", "label"]].to_numpy().tolist() == [["006_1", 100, 130, 130, ""]]


@pytest.mark.parametrize("apex", [None, 700])
def test_an_impossible_apex_is_blanked(tmp_path, apex):
    table = load_dataset("samm", samm(tmp_path, [("006", "006_1_2", 562, apex, 602, "4", "Anger", "III")]))
    assert pd.isna(table.loc[0, "apex"])
    assert ("will be spotted" in table.loc[0, "message"]) == (apex is not None)


def test_a_missing_sheet_of_emotions_is_reported(tmp_path):
    root = long_videos(tmp_path / "a" / "b" / "long")
    copy = read_copy(DATASETS["samm-lv"], root)
    name = "SAMM_Micro_FACS_Codes_v2.xlsx"
    assert f"no labels: they come from {name}, which is not in or beside {root}" in copy.notes
    wrong = {one.what: one.detail for one in check_copy(DATASETS["samm-lv"], copy) if one.state == "WRONG"}
    assert wrong["labels"] == f"2 rows without any: 006/006_1, 020/020_4\nthey come from {name}, which was not found"
