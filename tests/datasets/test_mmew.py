import pytest

from mer.datasets import load_dataset
from tests.datasets.copies import book, frames

HEADER = ["Subject", "Filename", "OnsetFrame", "ApexFrame", "OffsetFrame", "Action Units", "Estimated Emotion",
          "remarks"]  # fmt: skip


@pytest.mark.parametrize("layout", ["Micro_Expression/others/S13-07-001", "S13/others/S13-07-001"])
def test_both_layouts_of_folders_are_read(tmp_path, layout):
    book(tmp_path / "MMEW_Micro_Exp.xlsx", Sheet1=[HEADER, [13, "S13-07-001", 1, 20, 54, "4+7", "others", "x"]])
    frames(tmp_path / layout, range(1, 60), "{}.jpg")
    table = load_dataset("mmew", tmp_path)
    assert table[["subject", "clip", "onset", "apex", "offset", "label"]].to_numpy().tolist() == [
        ["S13", "S13-07-001", 1, 20, 54, "others"]
    ]
    assert table["status"].tolist() == [""]


def test_a_subject_other_than_the_one_in_the_clip_name_is_reported(tmp_path):
    rows = [[13, "S13-07-001", 1, 20, 54, "4+7", "others", ""], [3, "S04-07-001", 1, 20, 54, "4", "fear", ""]]
    book(tmp_path / "MMEW_Micro_Exp.xlsx", Sheet1=[HEADER, *rows])
    for clip in ("S13-07-001", "S04-07-001"):
        frames(tmp_path / "Micro_Expression" / "others" / clip, range(1, 60), "{}.jpg")
    table = load_dataset("mmew", tmp_path).set_index("clip")
    assert table.loc["S13-07-001", "status"] == ""
    assert table.loc["S04-07-001", "status"] == "bad_annotation"
    assert table.loc["S04-07-001", "message"] == "row 3 has the subject S03, but the clip's name contains S04"
