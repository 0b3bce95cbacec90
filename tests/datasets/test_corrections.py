import pandas as pd
import pytest

from mer.datasets import DATASETS
from mer.datasets.corrections import correct, read_corrections

ROWS = pd.DataFrame(
    [{"subject": "sub04", "clip": "EP12_01f", "onset": "261", "apex": "303", "offset": "321"}], dtype=object
)
TABLE = pd.DataFrame(
    [("casme2", "sub04", "EP12_01f", "261", "apex", old, "", "a guess") for old in ("294", "303")],
    columns=["dataset", "subject", "clip", "onset", "column", "old", "new", "why"],
)


def test_a_correction_is_applied_where_the_old_value_stands():
    rows, notes = correct(ROWS, "casme2", TABLE)
    assert rows["apex"].tolist() == [""]
    assert notes == ["sub04/EP12_01f, onset 261: apex 303 made blank (a guess)"]
    assert ROWS["apex"].tolist() == ["303"]


def test_another_value_is_left_alone_and_said_so():
    rows, notes = correct(ROWS.assign(apex="290"), "casme2", TABLE)
    assert rows["apex"].tolist() == ["290"]
    assert notes == ["sub04/EP12_01f, onset 261: the apex is 290, not 294 or 303: its correction was not applied"]


@pytest.mark.parametrize("right", ["", "/"])
def test_a_sheet_that_is_right_already_needs_no_word(right):
    assert correct(ROWS.assign(apex=right), "casme2", TABLE)[1] == []


def test_another_clip_onset_or_database_is_not_touched():
    for rows in (ROWS.assign(onset="262"), ROWS.assign(subject="sub05"), ROWS.assign(clip="EP12_02f")):
        corrected, notes = correct(rows, "casme2", TABLE)
        assert corrected.equals(rows)
        assert "not in this sheet" in notes[0]
    corrected, notes = correct(ROWS, "casme", TABLE)
    assert corrected.equals(ROWS)
    assert notes == []


def test_the_table_that_comes_with_the_package():
    table = read_corrections()
    assert len(table)
    assert set(table["dataset"]) <= set(DATASETS)
    assert set(table["column"]) <= {"onset", "apex", "offset", "label", "aus"}
    for row in table.to_dict("records"):
        assert DATASETS[row["dataset"]].subject(row["subject"]) == row["subject"]
        assert row["old"] != row["new"]
        assert row["why"]
