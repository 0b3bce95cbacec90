import pandas as pd
import pytest

from mer.datasets.samples import COLUMNS, SamplesError, conform, empty_samples, read_samples, write_samples


def test_columns_have_their_types_and_text_stays_text():
    table = conform(pd.DataFrame({"subject": ["006", 6], "onset": ["3", ""], "apex": [4.0, None], "fps": [None, "30"]}))
    assert tuple(table.columns) == COLUMNS
    assert table["subject"].tolist() == ["006", "6"]
    assert table["onset"].tolist() == [3, pd.NA] or table["onset"].isna().tolist() == [False, True]
    assert str(table["apex"].dtype) == "Int64"
    assert table["fps"].dtype == float
    assert (table["label"] == "").all()


@pytest.mark.parametrize(
    ("column", "value"), [("onset", "x"), ("apex", "3.5"), ("fps", "fast"), ("offset", "-3"), ("onset", "1e400")]
)
def test_an_invalid_number_is_named(column, value):
    with pytest.raises(SamplesError, match=f"column '{column}', row 2"):
        conform(pd.DataFrame({column: ["1", value]}))


def test_the_table_is_the_same_after_writing_and_reading(tmp_path):
    table = empty_samples(2)
    table["subject"] = ["006", "ümläut, with a comma"]
    table["onset"] = pd.array([0, None], dtype="Int64")
    table["scale"] = [94.25, float("nan")]
    table["message"] = ['a "quoted" word', "two\nlines"]
    write_samples(table, tmp_path / "samples.csv")
    pd.testing.assert_frame_equal(read_samples(tmp_path), conform(table))
    first = (tmp_path / "samples.csv").read_bytes()
    write_samples(read_samples(tmp_path), tmp_path / "samples.csv")
    assert (tmp_path / "samples.csv").read_bytes() == first


def test_other_files_are_refused(tmp_path):
    for asked in (tmp_path, tmp_path / "samples.csv"):
        with pytest.raises(
            SamplesError, match=rf"samples.csv does not exist; `mer extract-flow VIDEOS --out {tmp_path}`"
        ):
            read_samples(asked)
    with pytest.raises(
        SamplesError, match=r"^my.flows does not exist; `mer extract-flow VIDEOS --out my.flows` makes it$"
    ):
        read_samples("my.flows")
    (tmp_path / "samples.csv").write_text("")
    with pytest.raises(SamplesError, match="not a table"):
        read_samples(tmp_path)
    (tmp_path / "samples.csv").write_text("subject,clip\n1,a\n")
    with pytest.raises(SamplesError, match="no column dataset, status, path"):
        read_samples(tmp_path)
    (tmp_path / "samples.csv").write_bytes(b"\xff\xfe\x00a,b")
    with pytest.raises(SamplesError):
        read_samples(tmp_path)


def test_a_table_written_on_windows_or_by_hand_is_read(tmp_path):
    (tmp_path / "samples.csv").write_text(
        "dataset,subject,clip,status,scale,path\n"
        "videos,a,1, OK ,94.5,videos\\a\\1_0.npz  \n"
        "videos,a,2,No_Face,,\n"
        "videos,a,3,ok,,videos/a/3_0.npz\n"
    )
    table = read_samples(tmp_path)
    assert table["status"].tolist() == ["ok", "no_face", "ok"]
    assert table["path"].tolist() == ["videos/a/1_0.npz", "", "videos/a/3_0.npz"]
    assert table["message"].tolist() == ["", "", ""]


@pytest.mark.parametrize("path", ["C:\\flows\\a.npz", "..\\a.npz", "\\\\server\\a.npz", "/a.npz", "a/../../b.npz"])
def test_paths_outside_the_folder_are_unreadable_in_both_spellings(tmp_path, path):
    (tmp_path / "samples.csv").write_text(f"dataset,subject,clip,status,path\nv,a,1,ok,{path}\n")
    row = read_samples(tmp_path).iloc[0]
    assert row["status"] == "unreadable"
    assert row["message"].endswith("is outside the folder")


@pytest.mark.parametrize("scale", ["0", "-1", "-0.0", "inf", "-inf"])
def test_a_scale_that_is_not_positive_makes_its_row_unreadable(tmp_path, scale):
    (tmp_path / "samples.csv").write_text(
        f"dataset,subject,clip,status,scale,path\nv,a,1,ok,{scale},a.npz\nv,a,2,ok,90,b.npz\nv,a,3,no_face,0,\n"
    )
    table = read_samples(tmp_path)
    assert table["status"].tolist() == ["unreadable", "ok", "no_face"]
    assert f"scale {float(scale)} is not positive" in table["message"][0]
