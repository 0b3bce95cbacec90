"""Tables that people wrote: label files, annotation sheets and import tables."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mer.datasets.annotation_sheet import read_table
from mer.datasets.frame_folders import find_frames
from mer.datasets.tables import SamplesError, frame_number
from mer.datasets.video_folder import list_clips
from mer.evaluation.protocols.folds import people_of
from mer.extraction.extract import extract_flow
from mer.extraction.import_flow import import_flow
from mer.extraction.import_table import read_table as read_import
from tests.extraction.test_extract import still
from tests.faults.rows import row
from tests.faults.test_clips import frames, seen


@pytest.fixture
def labeled(tmp_path, monkeypatch):
    """Extract a clip of frames 1 to 6 with these labels; returns its row of the samples table."""
    monkeypatch.setattr("mer.extraction.expression.detect_faces", seen)
    frames("123456")(tmp_path / "videos" / "al" / "a")
    frames("123456")(tmp_path / "videos" / "al" / "other")

    def extract(**cells: str) -> dict:
        table = pd.DataFrame([{"subject": "al", "clip": "a", **cells}, {"subject": "al", "clip": "other"}])
        table.to_csv(tmp_path / "videos" / "labels.csv", index=False)
        out = extract_flow(tmp_path / "videos", tmp_path / "flows", method=still, size=64).set_index("clip")
        assert out.loc["other", "status"] == "ok"
        return out.loc["a"].to_dict()

    return extract


@pytest.mark.parametrize("blank", ["", "/", "-", "?", "n/a", "NaN", "-1", "-1.0"])
@row("`/`, `-`, `?`, -1 or blank cells in labels", "treated as not annotated: the apex is searched")
def test_blank_cells_are_not_annotated(labeled, blank):
    found = labeled(onset=blank, apex=blank, offset=blank, fps=blank)
    assert (found["status"], found["onset"]) == ("ok", 1)


@pytest.mark.parametrize("column", ["onset", "apex", "offset", "fps"])
@pytest.mark.parametrize("cell", ["three", "3.5.1", "1e400", "9" * 40])
@row("text instead of a number", "`bad_annotation`, names column and cell; other rows are not affected")
def test_text_instead_of_a_number(labeled, column, cell):
    found = labeled(**{column: cell})
    if (column, cell) == ("fps", "9" * 40):
        return  # a number
    assert found["status"] == "bad_annotation" or (column, cell) == ("fps", "1e400")
    assert found["status"] == "ok" or (column in found["message"] and repr(cell) in found["message"])


@row("onset after the apex", "`ok` with a message: the apex is searched, and `apex_source` records it")
def test_onset_after_the_apex(labeled):
    found = labeled(onset="4", apex="2")
    assert (found["status"], found["apex_source"]) == ("ok", "midpoint")
    assert "labeled apex 2 is not between onset 4 and offset 6" in found["message"]


@row("offset before the onset", "`bad_annotation`")
def test_offset_before_the_onset(labeled):
    assert labeled(onset="4", offset="2")["status"] == "bad_annotation"


@pytest.mark.parametrize("onset", ["9", "0"])
@row("onset that is not a frame of the clip", "`missing_frames`, names the existing frames")
def test_an_onset_that_is_not_a_frame(labeled, onset):
    found = labeled(onset=onset)
    assert found["status"] == "missing_frames"
    assert "frames are 1 to 6" in found["message"]


@row("label of a missing clip", "`missing_clip`")
def test_a_label_of_a_missing_clip(tmp_path):
    frames("12")(tmp_path / "al" / "a")
    (tmp_path / "labels.csv").write_text("subject,clip\nal,a\nal,gone\n")
    assert list_clips(tmp_path).set_index("clip")["status"].to_dict() == {"a": "", "gone": "missing_clip"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"person,clip\nal,a\n", "no column subject"),
        (b"subject,clip,Clip\nal,a,b\n", "column 'clip' twice"),
        (b"subject,clip\nal,a\nal,a\n", "appears twice"),
        (b"", "not a table"),
        (b"\xff\xfe\x00\x01", "not a table|no column"),
        (b'subject,clip\n"al,a\n', "not a table"),
        (b"PK\x03\x04 a workbook", "not a table|no column"),
    ],
)
@row("label file with wrong columns, duplicate rows, or no table", "exit 2, names the file and the error")
def test_unusable_label_files(tmp_path, text, words):
    frames("12")(tmp_path / "al" / "a")
    (tmp_path / "labels.csv").write_bytes(text)
    with pytest.raises(SamplesError, match=words):
        list_clips(tmp_path)


@row("row with more cells than columns", "extra cells are ignored; no column shifts")
def test_more_cells_than_columns(tmp_path):
    frames("12")(tmp_path / "al" / "a")
    (tmp_path / "labels.csv").write_text("subject,clip\nal,a,beyond\n")
    with pytest.warns(pd.errors.ParserWarning):
        table = list_clips(tmp_path)
    assert table[["subject", "clip", "status"]].to_numpy().tolist() == [["al", "a", ""]]


@pytest.mark.parametrize("name", ["s.xlsx", "s.xls", "s.csv"])
@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04", b"\x00" * 600, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"a,b\n1,2\n"]
)
@row("damaged or wrong annotation sheet", "exit 2, names the sheet and the missing columns")
def test_a_damaged_sheet(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SamplesError, match=name):
        read_table(tmp_path / name)


@pytest.mark.parametrize(("cell", "number"), [("12", 12), ("12.0", 12), ("/", None), ("", None), ("nan", None)])
@row("frame numbers as spreadsheets write them (`12.0`, `/`)", "the number, or not annotated")
def test_frame_numbers_in_sheets(cell, number):
    assert frame_number(cell) == number


@row("symbolic link to a parent folder in a database", "each folder is read once")
def test_symbolic_links_to_a_parent_folder(tmp_path):
    frames("12")(tmp_path / "sub01" / "EP01")
    (tmp_path / "sub01" / "again").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "sub01" / "EP01" / "self").symlink_to(tmp_path / "sub01", target_is_directory=True)
    found = find_frames(tmp_path, lambda parts: None)
    assert found.unknown == ["sub01/EP01"]


@pytest.mark.parametrize(
    "text", ["a,b\n1,2\n", "sub,clip\n1,a\n", "sub,clip,label\n,a,x\n", "sub,clip,label\n1,a,x\n1,a,y\n", ""]
)
@row("import table without columns or subjects, or with contradictory rows", "exit 2, names the error")
def test_unusable_import_tables(tmp_path, text):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(SamplesError, match=r"t\.csv"):
        read_import(tmp_path / "t.csv")


@row("sheet saved as CSV with integers such as `1.0`", "read as integers")
def test_integers_with_a_decimal_point(tmp_path):
    (tmp_path / "s.csv").write_text("Subject,Filename,OnsetFrame,Emotion\n1.0,a,46.0,x\n")
    assert read_table(tmp_path / "s.csv")[["subject", "onset"]].to_numpy().tolist() == [["1", "46"]]


@row("several spellings of a person (`1`, `sub01`)", "one person, never in both training and test data")
def test_one_person_in_several_spellings():
    table = pd.DataFrame({"dataset": "casme2", "subject": ["sub01", "1", "Sub01 ", "2"]})
    assert people_of(table).tolist() == ["casme2/sub01"] * 3 + ["casme2/sub02"]


@pytest.mark.parametrize("content", [b"", b"no image"])
@row("empty or damaged image of an import", "`unreadable`; the other images are imported")
def test_a_damaged_image_of_an_import(tmp_path, content):
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "1_a.png").write_bytes(content)
    Image.fromarray(np.arange(48, dtype=np.uint8).reshape(4, 4, 3)).save(tmp_path / "images" / "1_b.png")
    (tmp_path / "t.csv").write_text("sub,clip,label\n1,a,x\n1,b,x\n")
    table = import_flow(tmp_path / "images", tmp_path / "t.csv", tmp_path / "flows")
    assert table["status"].tolist() == ["unreadable", "ok"]
