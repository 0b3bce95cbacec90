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
    ("column", "value"), [("onset", "x"), ("apex", "3.5"), ("fps", "fast"), ("offset", "/"), ("onset", "1e400")]
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
