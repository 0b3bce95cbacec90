import pandas as pd
import pytest

from mer.datasets import DATASETS, load_dataset
from mer.datasets.frame_folders import Frames, Place
from mer.datasets.join_sheet_frames import LONGEST, folders_of, join
from tests.datasets.copies import CASME2_CLEAN as CLEAN
from tests.datasets.copies import CASME2_HEADER, book, casme2, frames
from tests.datasets.copies import CASME2_ROWS as ROWS

CASME2 = DATASETS["casme2"]
ROW = {"row": 2, "subject": "sub01", "clip": "EP1", "onset": "10", "apex": "12", "offset": "19",
       "label": "fear", "aus": "4", "fps": "", "kind": "", "wrong": ""}  # fmt: skip


def join_one(tmp_path, numbers=range(10, 20), **cells):
    """The samples-table row of one sheet row, for a clip with these frame numbers."""
    folder = frames(tmp_path / "sub01" / "EP1", numbers)
    found = Frames({Place("sub01", "ep1"): folder}, ".", [], [])
    return join(pd.DataFrame([ROW | cells]), CASME2, found).iloc[0]


def test_a_complete_row(tmp_path):
    row = join_one(tmp_path)
    assert row[["dataset", "subject", "clip", "label", "aus"]].tolist() == ["casme2", "sub01", "EP1", "fear", "4"]
    assert row[["onset", "apex", "offset", "fps"]].tolist() == [10, 12, 19, 200]
    assert (row["status"], row["message"]) == ("", "")
    assert row["source"] == str(tmp_path / "sub01" / "EP1")


def test_the_frame_rate_of_the_sheet_takes_precedence(tmp_path):
    assert join_one(tmp_path, fps="100")["fps"] == 100


@pytest.mark.parametrize("apex", ["10", "9", "20"])
def test_an_apex_outside_the_expression_is_blanked(tmp_path, apex):
    row = join_one(tmp_path, apex=apex)
    assert pd.isna(row["apex"])
    assert (
        row["message"]
        == f"the labeled apex {apex} is not between the onset 10 and the offset 19, so it will be spotted"
    )


def test_without_apex_and_offset_the_expression_has_the_usual_length(tmp_path):
    row = join_one(tmp_path, range(10, 500), apex="", offset="")
    assert row["offset"] == 10 + round(200 * LONGEST)
    assert row["message"] == "neither apex nor offset, so the apex is searched up to frame 110"


def test_a_clip_without_a_folder(tmp_path):
    row = join_one(tmp_path, clip="EP2")
    assert (row["status"], row["message"]) == ("missing_clip", "no such folder under sub01")
    assert row["source"] == ""


def test_two_frames_with_the_same_number_are_unreadable(tmp_path):
    (tmp_path / "sub01" / "EP1").mkdir(parents=True)
    (tmp_path / "sub01" / "EP1" / "img0010.jpg").touch()
    row = join_one(tmp_path)
    assert row["status"] == "unreadable"
    assert "both frame 10" in row["message"]


def test_only_annotated_folders_are_listed(tmp_path):
    folders = {Place("sub01", name): tmp_path / name for name in ("ep1", "ep2")}
    assert folders_of(pd.DataFrame([ROW]), CASME2, Frames(folders, ".", [], [])) == {tmp_path / "ep1"}


def status(table, clip):
    return tuple(table.loc[table["clip"] == clip, ["status", "message"]].iloc[0])


def test_missing_frames_are_counted_and_named(tmp_path):
    root = casme2(tmp_path, ROWS)
    raw = root / "CASME2_RAW_selected"
    (raw / "sub01" / "EP02_01f" / "img50.jpg").unlink()
    (raw / "sub01" / "EP19_05f" / "img96.jpg").unlink()
    table = load_dataset("casme2", root)
    assert status(table, "EP02_01f") == ("", "1 of 41 frames from onset to offset are missing")
    expected = ("missing_frames", "onset 96 missing: the 8 frames are 97 to 104")
    assert status(table, "EP19_05f") == expected


@pytest.mark.parametrize(
    ("onset", "offset", "message"),
    [
        (None, 86, "the sheet gives no onset"),
        ("x", 86, "row 2: 'x' is not a frame number"),
    ],
)
def test_impossible_rows(tmp_path, onset, offset, message):
    root = casme2(tmp_path, ROWS[:2])
    rows = [[1, "EP02_01f", None, onset, 59, offset, None, 12, "happiness"],
            [1, "EP19_05f", None, 96, 101, 104, None, 4, "disgust"]]  # fmt: skip
    book(root / "CASME2-coding-20140508.xlsx", S=[CASME2_HEADER, *rows])
    state, text = status(load_dataset("casme2", root), "EP02_01f")
    assert state == "bad_annotation"
    assert message in text


def test_an_offset_before_the_onset_becomes_the_apex(tmp_path):
    root = casme2(tmp_path, ROWS[:1])
    book(root / "CASME2-coding-20140508.xlsx", S=[CLEAN, [1, "EP02_01f", 46, 59, 40, 12, "happiness"]])
    row = load_dataset("casme2", root).iloc[0]
    assert (row["status"], row["apex"], row["offset"]) == ("", 59, 59)
    assert row["message"].startswith("the offset 40 is not after the onset 46; no offset, so")
