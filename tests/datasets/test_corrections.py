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


def test_a_correction_is_applied_to_the_old_value():
    rows, notes = correct(ROWS, "casme2", TABLE)
    assert rows["apex"].tolist() == [""]
    assert notes == ["sub04/EP12_01f, onset 261: apex changed from 303 to blank (a guess)"]
    assert ROWS["apex"].tolist() == ["303"]


def test_another_value_is_kept_and_reported():
    rows, notes = correct(ROWS.assign(apex="290"), "casme2", TABLE)
    assert rows["apex"].tolist() == ["290"]
    assert notes == ["sub04/EP12_01f, onset 261: the apex is 290, not 294 or 303; the correction was not applied"]


@pytest.mark.parametrize("right", ["", "/"])
def test_a_correct_sheet_gives_no_note(right):
    assert correct(ROWS.assign(apex=right), "casme2", TABLE)[1] == []


def test_other_clips_onsets_and_databases_are_unchanged():
    for rows in (ROWS.assign(onset="262"), ROWS.assign(subject="sub05"), ROWS.assign(clip="EP12_02f")):
        corrected, notes = correct(rows, "casme2", TABLE)
        assert corrected.equals(rows)
        assert "not in this sheet" in notes[0]
    corrected, notes = correct(ROWS, "casme", TABLE)
    assert corrected.equals(ROWS)
    assert notes == []


def test_the_installed_corrections_are_valid():
    table = read_corrections()
    assert len(table)
    assert set(table["dataset"]) <= set(DATASETS)
    assert set(table["column"]) <= {"onset", "apex", "offset", "label", "aus"}
    for row in table.to_dict("records"):
        assert DATASETS[row["dataset"]].subject(row["subject"]) == row["subject"]
        assert row["old"] != row["new"]
        assert row["why"]
