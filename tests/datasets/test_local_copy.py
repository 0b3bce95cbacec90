"""Each defect of a copy gives one clear message."""

import shutil

import pandas as pd
import pytest

from mer.datasets import DATASETS, load_dataset, read_copy
from mer.datasets.samples import COLUMNS, SamplesError
from tests.datasets.copies import CASME2_CLEAN as CLEAN
from tests.datasets.copies import CASME2_ROWS as ROWS
from tests.datasets.copies import SAMM_ROWS, book, casme2, frames, samm


def status(table, clip):
    return tuple(table.loc[table["clip"] == clip, ["status", "message"]].iloc[0])


def test_the_samples_table_has_its_usual_columns(tmp_path):
    table = load_dataset("casme2", casme2(tmp_path, ROWS))
    assert tuple(table.columns) == (*COLUMNS, "source")


def test_a_missing_sheet(tmp_path):
    (casme2(tmp_path / "a" / "b" / "c", ROWS) / "CASME2-coding-20140508.xlsx").unlink()
    with pytest.raises(SamplesError, match=r"no annotation sheet of CASME II in or beside .*--annotations FILE"):
        load_dataset("casme2", tmp_path / "a" / "b" / "c")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("casme2", r"is not a sheet of CASME II: 3 of 3 clips have names such as '006_1_2'; expected CASME2_RAW"),
        ("casme3", r"row 15 has the subject '006'|is not a sheet of|clips have names"),
    ],
)
def test_the_sheet_of_another_database_is_refused(tmp_path, name, message):
    wrong = samm(tmp_path / "samm", SAMM_ROWS) / "SAMM_Micro_FACS_Codes_v2.xlsx"
    root = casme2(tmp_path / "casme2", ROWS)
    frames(root / "spNO.1" / "a", [1])
    with pytest.raises(SamplesError, match=message):
        load_dataset(name, root, annotations=wrong)


def test_the_labels_of_another_database_are_refused(tmp_path):
    rows = [[1, "EP02_01f", 46, 59, 86, 12, "tense"], [1, "EP19_05f", 96, 101, 104, 4, "tense"]]
    root = casme2(tmp_path, ROWS[:2])
    sheet = book(tmp_path / "x.xlsx", S=[CLEAN, *rows])
    with pytest.raises(SamplesError, match="2 of 2 labels are unknown, such as 'tense'; expected others, "):
        load_dataset("casme2", root, annotations=sheet)


def test_a_column_without_header(tmp_path):
    root = casme2(tmp_path, ROWS)
    book(root / "CASME2-coding-20140508.xlsx", S=[[*CLEAN[:2], None, *CLEAN[3:]], list(ROWS[0])])
    with pytest.raises(SamplesError, match=r"has no column for onset \(onsetframe\)"):
        load_dataset("casme2", root)


@pytest.mark.parametrize("column", ["onset", "label"])
def test_a_required_column_with_blank_cells(tmp_path, column):
    root = casme2(tmp_path, ROWS)
    place = {"onset": 2, "label": 6}[column]
    rows = [[cell if i != place else None for i, cell in enumerate(row)] for row in ROWS]
    book(root / "CASME2-coding-20140508.xlsx", S=[CLEAN, *rows])
    with pytest.raises(SamplesError, match=f"the column for {column} is blank in all 5 rows; use the original"):
        load_dataset("casme2", root)


def test_text_below_the_table_is_ignored(tmp_path):
    root = casme2(tmp_path, ROWS)
    book(root / "CASME2-coding-20140508.xlsx", S=[CLEAN, *map(list, ROWS), [], ["Total", None, None, 5]])
    assert len(load_dataset("casme2", root)) == len(ROWS)


def test_a_database_without_macro_expressions(tmp_path):
    with pytest.raises(SamplesError, match="has no macro-expressions"):
        load_dataset("casme2", casme2(tmp_path, ROWS), macro=True)


def test_subjects_in_merged_cells(tmp_path):
    root = casme2(tmp_path, ROWS)
    book(root / "CASME2-coding-20140508.xlsx", S=[CLEAN, list(ROWS[0]), [None, *ROWS[1][1:]]])
    with pytest.raises(SamplesError, match=r"row 3 has no subject \(fill in merged cells\).*1 of 2 rows"):
        load_dataset("casme2", root)


def test_renamed_folders(tmp_path):
    root = casme2(tmp_path, ROWS)
    raw = root / "CASME2_RAW_selected"
    (raw / "sub05").rename(raw / "sub55")
    table = load_dataset("casme2", root)
    expected = ("missing_clip", "no folder of sub05, expected CASME2_RAW_selected/sub01/EP02_01f/img46.jpg")
    assert status(table, "EP09_05f") == expected
    for person in list(raw.iterdir()):
        person.rename(raw / f"person {person.name[-1]}x")
    with pytest.raises(
        SamplesError, match=r"no frames of CASME II .*: 5 folders of pictures, none with a known name, such"
    ):
        load_dataset("casme2", root)


def test_folders_of_another_release(tmp_path):
    root = casme2(tmp_path, ROWS)
    shutil.rmtree(root / "CASME2_RAW_selected")
    frames(root / "sub01" / "EP99_01", [1, 2])
    with pytest.raises(SamplesError, match=r"do not match: no row has frames; .* sub01/EP02_01f, .* sub01/ep99_01"):
        load_dataset("casme2", root)


def test_a_clip_in_the_folder_of_another_person(tmp_path):
    root = casme2(tmp_path, ROWS)
    raw = root / "CASME2_RAW_selected"
    (raw / "sub01" / "EP02_01f").rename(raw / "sub04" / "EP02_01f")
    copy = read_copy(DATASETS["casme2"], root)
    expected = ("missing_clip", "no such folder under sub01, but there is one under sub04")
    assert status(copy.samples, "EP02_01f") == expected


def test_a_duplicate_row_is_used_once(tmp_path):
    root = casme2(tmp_path, [*ROWS, ROWS[0]])
    copy = read_copy(DATASETS["casme2"], root)
    warnings = []
    pd.testing.assert_frame_equal(load_dataset("casme2", root, warn=warnings.append), copy.samples)
    assert warnings == copy.notes
    assert len(copy.samples) == len(ROWS)
    assert any(
        "row 7 of the sheet, sub01/EP02_01f with onset 46, is a duplicate; the first" in note for note in copy.notes
    )


def test_sheets_with_other_names_are_listed_beside_the_expected_name(tmp_path):
    root = casme2(tmp_path / "a" / "b" / "c", ROWS)
    (root / "CASME2-coding-20140508.xlsx").rename(root / "my labels.xlsx")
    with pytest.raises(SamplesError, match=r"expected CASME2-coding-20140508.xlsx, found my labels.xlsx; put"):
        load_dataset("casme2", root)
    for i in range(7):
        (root.parent / f"{i}.csv").touch()
    with pytest.raises(SamplesError, match=r"found my labels.xlsx, ../0.csv, .*, ../3.csv and 3 more; put"):
        load_dataset("casme2", root)
    assert len(load_dataset("casme2", root, root / "my labels.xlsx")) == len(ROWS)


def test_of_two_sheets_the_one_inside_is_used_and_equal_names_are_distinguished(tmp_path):
    root = casme2(tmp_path / "a" / "copy", ROWS)
    casme2(tmp_path / "a", ROWS[:2])
    copy = read_copy(DATASETS["casme2"], root)
    assert copy.sheet == root / "CASME2-coding-20140508.xlsx"
    assert len(copy.samples) == len(ROWS)
    assert copy.notes[0] == (
        "the sheet is CASME2-coding-20140508.xlsx; ../CASME2-coding-20140508.xlsx ignored "
        "(choose with --annotations FILE)"
    )
