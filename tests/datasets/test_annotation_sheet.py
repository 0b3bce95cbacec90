import struct
import sys

import pytest

from mer.datasets.annotation_sheet import all_sheets, find_sheets, read_table
from mer.datasets.tables import SamplesError, cell_text, frame_number
from tests.datasets.copies import book

HEADER = ["Subject", "Filename", "OnsetFrame", "Estimated Emotion"]


def test_columns_are_identified_by_header_ignoring_position_case_and_spaces(tmp_path):
    sheet = book(
        tmp_path / "a.xlsx",
        Sheet1=[[None, "estimated  EMOTION", "Onset Frame", "SUBJECT", "file_name"], [None, "fear", 5, 1, "EP1"]],
    )
    table = read_table(sheet)
    assert table.drop(columns="row").to_dict("records") == [
        {"subject": "1", "clip": "EP1", "onset": "5", "label": "fear"}
    ]


def test_headers_are_found_below_text_and_on_another_tab(tmp_path):
    sheet = book(tmp_path / "a.xlsx", Notes=[["nothing here"]], Data=[["text"], [], HEADER, ["006", "c", 7, "Anger"]])
    table = read_table(sheet)
    assert table["subject"].tolist() == ["006"]
    assert table["row"].tolist() == [4]


def test_blank_rows_are_skipped_and_whole_numbers_lose_their_point(tmp_path):
    sheet = book(tmp_path / "a.xlsx", S=[HEADER, [1.0, "c", 7.0, "x"], [None] * 4, [2, "d", 8, "y"]])
    table = read_table(sheet)
    assert table["subject"].tolist() == ["1", "2"]
    assert table["row"].tolist() == [2, 4]


@pytest.mark.parametrize(
    ("separator", "encoding"), [(",", "utf-8-sig"), (";", "utf-8"), ("\t", "gb18030"), ("\t", "utf-16")]
)
def test_a_sheet_saved_as_csv_in_any_encoding(tmp_path, separator, encoding):
    lines = [HEADER, ["1", "c", "7", "恐惧"]]
    (tmp_path / "a.csv").write_bytes("\r\n".join(separator.join(line) for line in lines).encode(encoding))
    assert read_table(tmp_path / "a.csv")["label"].tolist() == ["恐惧"]


def test_a_missing_column_is_named(tmp_path):
    sheet = book(tmp_path / "a.xlsx", S=[["Subject", "Filename", "Estimated Emotion"], [1, "c", "x"]])
    with pytest.raises(SamplesError, match=r"no column for onset \(onsetframe\): its columns are Subject, Filename"):
        read_table(sheet)


def test_a_workbook_without_headers_a_damaged_one_and_a_missing_one(tmp_path):
    with pytest.raises(SamplesError, match="no row looks like headers"):
        read_table(book(tmp_path / "a.xlsx", S=[[1, 2], [3, 4]]))
    (tmp_path / "b.xlsx").write_text("not a workbook")
    with pytest.raises(SamplesError, match=r"b\.xlsx is not a readable workbook"):
        read_table(tmp_path / "b.xlsx")
    with pytest.raises(FileNotFoundError, match=r"c\.xlsx does not exist"):
        read_table(tmp_path / "c.xlsx")


def old_workbook(path, rows):
    """A sheet in the format of Excel 2, the simplest kind of `.xls`: one record per cell."""
    records = [struct.pack("<HHHH", 9, 4, 7, 0x10)]
    for r, row in enumerate(rows):
        for c, cell in enumerate(row):
            if isinstance(cell, str):
                text = cell.encode()
                records.append(struct.pack("<HHHH3xB", 4, 8 + len(text), r, c, len(text)) + text)
            else:
                records.append(struct.pack("<HHHH3xd", 3, 15, r, c, cell))
    path.write_bytes(b"".join([*records, struct.pack("<HH", 10, 0)]))
    return path


def test_xls_is_read(tmp_path):
    pytest.importorskip("xlrd")
    sheet = old_workbook(tmp_path / "CASME2_label_Ver_2.xls", [HEADER, [1, "EP02_01f", 46, "happiness"]])
    assert read_table(sheet).drop(columns="row").to_numpy().tolist() == [["1", "EP02_01f", "46", "happiness"]]


def test_an_xlsx_named_xls_is_read(tmp_path):
    sheet = book(tmp_path / "a.xlsx", S=[HEADER, [1, "c", 7, "x"]]).rename(tmp_path / "a.xls")
    assert read_table(sheet)["clip"].tolist() == ["c"]


def test_xls_without_xlrd_is_an_error_that_names_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "xlrd", None)
    (tmp_path / "a.xls").write_bytes(bytes.fromhex("d0cf11e0a1b11ae1") + bytes(2000))
    with pytest.raises(SamplesError, match="pip install xlrd"):
        read_table(tmp_path / "a.xls")


def test_sheets_inside_come_before_those_above_and_the_best_name_comes_first(tmp_path):
    root = tmp_path / "data" / "frames"
    (root / "deep" / "er").mkdir(parents=True)
    places = (root / "deep" / "er" / "x-2019.xlsx", tmp_path / "data" / "x-2014.xlsx", root / "~$x-2014.xlsx")
    for place in (*places, root / "x-2020.csv", root / "deep" / "x-2014.xlsx"):
        place.touch()
    found = find_sheets(root, ("x.*2014", "x"))
    assert [file.relative_to(tmp_path / "data").as_posix() for file in found] == [
        "frames/deep/x-2014.xlsx", "frames/x-2020.csv", "frames/deep/er/x-2019.xlsx", "x-2014.xlsx",
    ]  # fmt: skip
    assert set(all_sheets(root)) == set(found)


@pytest.mark.parametrize("name", ["CASMEⅡ-coding.xlsx", "Casme II-coding.XLSX", "ＣＡＳＭＥ２_coding.csv"])
def test_special_characters_in_the_name_of_a_sheet(tmp_path, name):
    (tmp_path / name).touch()
    assert find_sheets(tmp_path, (r"^casme ?(2|ii).*coding",)) == [tmp_path / name]


@pytest.mark.parametrize(
    ("text", "number"), [("46", 46), ("46.0", 46), ("0", 0), ("/", None), ("", None), ("nan", None)]
)
def test_frame_numbers_and_blanks_are_read(text, number):
    assert frame_number(text) == number


@pytest.mark.parametrize("text", ["-3", "1.5", "apex", "1e999"])
def test_other_text_is_not_a_frame_number(text):
    with pytest.raises(ValueError, match="is not a frame number"):
        frame_number(text)


def test_cells_become_text():
    assert [cell_text(cell) for cell in (4, 4.0, 4.5, None, float("nan"), " a ")] == ["4", "4", "4.5", "", "", "a"]
    texts = {"4.0": "4", " 006.00 ": "006", "4.5": "4.5", "4.": "4.", "EP1.0": "EP1.0", "-1.0": "-1.0"}
    assert [cell_text(text) for text in texts] == list(texts.values())


def test_whole_numbers_written_as_fractions_in_a_csv(tmp_path):
    (tmp_path / "a.csv").write_text("Subject,Filename,OnsetFrame,Estimated Emotion\n1.0,c,7.0,2.0\n")
    assert read_table(tmp_path / "a.csv").to_numpy().tolist() == [["1", "c", "7", "2", 2]]


def test_an_xlsx_named_csv_is_read(tmp_path):
    sheet = book(tmp_path / "a.xlsx", S=[HEADER, [1, "c", 7, "x"]]).rename(tmp_path / "a.csv")
    assert read_table(sheet)["clip"].tolist() == ["c"]
