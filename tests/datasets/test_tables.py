import time
import tracemalloc
import zipfile

import numpy as np
import pandas as pd
import pytest

from mer.datasets.samples import SamplesError, conform, read_samples, write_samples
from mer.datasets.tables import frame_number, is_blank, label_text, protect, read_book, read_rows, restore
from tests.datasets.copies import book

CHINESE = "subject,clip,label\np1,a,积极\np1,b,消极\n"


@pytest.mark.parametrize("encoding", ["gb18030", "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.filterwarnings("ignore:.*GB 18030")
def test_chinese_text_in_every_encoding(tmp_path, encoding, separator):
    (tmp_path / "t.csv").write_bytes(CHINESE.replace(",", separator).encode(encoding))
    header, rows = read_rows(tmp_path / "t.csv")
    assert header == ["subject", "clip", "label"]
    assert rows == [(2, ["p1", "a", "积极"]), (3, ["p1", "b", "消极"])]


@pytest.mark.parametrize("words", ["überrascht,fröhlich", "Ärger,Trauer", "créée,café", "é,x", "CAS(ME)²,x"])
def test_western_text_is_not_read_as_chinese(tmp_path, words):
    (tmp_path / "t.csv").write_bytes(f"a,b\n{words}\n".encode("cp1252"))
    with pytest.warns(pd.errors.ParserWarning, match="read as Windows-1252"):
        assert read_rows(tmp_path / "t.csv")[1][0][1] == words.split(",")


@pytest.mark.parametrize(("text", "encoding"), [("радость,гнев", "cp1251"), ("喜び,悲しみ", "shift-jis")])
def test_an_unknown_encoding_is_refused(tmp_path, text, encoding):
    (tmp_path / "t.csv").write_bytes(f"a,b\n{text}\n".encode(encoding))
    with pytest.raises(SamplesError, match=r"encoding is uncertain; save it as \.xlsx"):
        read_rows(tmp_path / "t.csv")


def test_decimal_commas_and_commas_within_cells(tmp_path):
    (tmp_path / "t.csv").write_text("sep=;\nsubject;clip;fps;aus\np1;a;29,97;4,7,12\np1;b;30,0;4,7\n")
    header, rows = read_rows(tmp_path / "t.csv")
    assert header == ["subject", "clip", "fps", "aus"]
    assert rows[0] == (3, ["p1", "a", "29,97", "4,7,12"])
    row = conform(pd.DataFrame({"fps": ["29,97"], "onset": ["12,0"]})).iloc[0]
    assert (row["fps"], row["onset"]) == (29.97, 12)


@pytest.mark.parametrize("cell", ["", " ", "/", "-", "?", "nan", "N/A", "#N/A", "None", "-1", "-1.0", None, np.nan, -1])
def test_marks_for_not_annotated_are_no_label_and_no_number(cell):
    assert is_blank(cell)
    assert label_text(cell) == ""
    row = conform(pd.DataFrame({name: [cell] for name in ("label", "onset", "apex", "fps")}, dtype=object)).iloc[0]
    assert row["label"] == ""
    assert row[["onset", "apex", "fps"]].isna().all()


def test_zero_is_a_class_and_an_onset_but_no_apex():
    table = conform(pd.DataFrame({"label": ["0", "0.0", 0.0, "1.0"], "onset": 0, "apex": "0", "offset": "0.0"}))
    assert table["label"].tolist() == ["0", "0", "0", "1"]
    assert table["onset"].tolist() == [0] * 4
    assert table[["apex", "offset"]].isna().all(axis=None)
    assert (frame_number("0"), frame_number("0", "apex"), frame_number("-1")) == (0, None, None)


@pytest.mark.parametrize("cell", ["=1+1", "+cmd", "-x", "@SUM(A1)", "'=x", "''", "'x", "-1.5", "a=b", ""])
def test_formulas_are_written_as_text_and_read_back(tmp_path, cell):
    assert restore(protect(cell)) == cell
    assert protect(cell)[:1] not in ("=", "+", "@")
    assert protect(-1.5) == -1.5
    samples = conform(pd.DataFrame({
        "dataset": ["v"], "subject": [cell], "clip": ["c"], "status": ["ok"], "message": [cell], "scale": [1.5],
    }))  # fmt: skip
    write_samples(samples, tmp_path / "samples.csv")
    pd.testing.assert_frame_equal(read_samples(tmp_path), samples)


def test_a_workbook_that_unpacks_to_too_much_is_refused_at_once(tmp_path):
    path = book(tmp_path / "a.xlsx", S=[["subject", "clip"], ["p1", "a"]])
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts["xl/worksheets/sheet1.xml"] += b" " * (40 << 20)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    del parts, content
    tracemalloc.start()
    began = time.monotonic()
    with pytest.raises(SamplesError, match=r"a\.xlsx unpacks to 40 MB"):
        read_book(path)
    assert time.monotonic() - began < 5
    assert tracemalloc.get_traced_memory()[1] < 20 << 20
    tracemalloc.stop()


def test_a_workbook_with_too_many_cells_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("mer.datasets.tables.CELL_LIMIT", 1000)
    path = book(tmp_path / "a.xlsx", S=[["subject", "clip"], *[[None] * 20 + ["x"]] * 100])
    with pytest.raises(SamplesError, match="has more than 1000 cells"):
        read_book(path)
