import pandas as pd
import pytest

from mer.datasets import DATASETS, load_dataset
from mer.datasets.local_copy import read_copy
from tests.datasets.copies import CASME2_CLEAN as CLEAN
from tests.datasets.copies import CASME2_HEADER, book, casme2, frames
from tests.datasets.copies import CASME2_ROWS as ROWS


@pytest.mark.parametrize("header", [CASME2_HEADER, CLEAN], ids=["blank columns", "cleaned"])
def test_sheets_with_and_without_blank_columns_are_read(tmp_path, header):
    table = load_dataset("casme2", casme2(tmp_path, ROWS, header))
    assert table["subject"].tolist() == ["sub01", "sub01", "sub04", "sub05", "sub05"]
    assert table["label"].tolist() == ["happiness", "disgust", "disgust", "repression", "others"]
    assert table["aus"].tolist() == ["12", "4+7+L10", "4+5", "R2+15", "?"]
    assert (table["status"] == "").all()
    assert (table["fps"] == 200).all()
    assert set(table["dataset"]) == {"casme2"}


@pytest.mark.parametrize("name", [1, "01", "sub01", "1.0"])
def test_subjects_in_any_spelling(tmp_path, name):
    casme2(tmp_path, ROWS[:1])
    book(tmp_path / "CASME2-coding-20140508.xlsx", S=[CLEAN, [name, *ROWS[0][1:]]])
    assert load_dataset("casme2", tmp_path)["subject"].tolist() == ["sub01"]


def test_an_impossible_apex_is_blanked(tmp_path):
    table = load_dataset("casme2", casme2(tmp_path, ROWS)).set_index("clip")
    assert pd.isna(table.loc["EP12_01f", "apex"])
    assert pd.isna(table.loc["EP09_05f", "apex"])
    assert (
        "labeled apex 69 is not between the onset 69 and the offset 123, so it will be spotted"
        in table.loc["EP09_05f", "message"]
    )
    assert table.loc["EP16_04f", "apex"] == 181


def test_a_guessed_apex_is_removed_by_a_correction(tmp_path):
    rows = [*ROWS[:2], (4, "EP12_01f", 261, 303, 321, "4+5", "disgust")]
    copy = read_copy(DATASETS["casme2"], casme2(tmp_path, rows))
    assert pd.isna(copy.samples.set_index("clip").loc["EP12_01f", "apex"])
    assert any("apex changed from 303 to blank" in note for note in copy.notes)


def test_frames_without_leading_zeros_and_files_that_are_not_frames(tmp_path):
    root = casme2(tmp_path, ROWS)
    (root / "CASME2_RAW_selected" / "sub01" / "Desktop - Shortcut.lnk").touch()
    (root / "CASME2_RAW_selected" / "sub01" / "EP19_05f" / "Thumbs.db").touch()
    table = load_dataset("casme2", root).set_index("clip")
    assert table.loc["EP19_05f", ["onset", "apex", "offset"]].tolist() == [96, 101, 104]
    assert (table["message"][table.index != "EP09_05f"] == "").all()


def test_cropped_frames_in_folders_without_prefix_and_a_sheet_beside_them(tmp_path):
    casme2(tmp_path, ROWS[:1])
    root = tmp_path / "Cropped-updated"
    frames(root / "Cropped" / "1" / "EP02_01f", range(46, 87), "reg_img{}.jpg")
    table = load_dataset("casme2", root)
    assert table["source"].tolist() == [str(root / "Cropped" / "1" / "EP02_01f")]
    assert table["status"].tolist() == [""]


def test_the_sheet_of_2014_takes_precedence_over_later_ones(tmp_path):
    root = casme2(tmp_path, ROWS[:1])
    book(root / "CASME2-coding-20190701.xlsx", S=[CLEAN, [1, "EP02_01f", 46, 59, 86, 12, "sadness"]])
    copy = read_copy(DATASETS["casme2"], root)
    assert copy.samples["label"].tolist() == ["happiness"]
    assert any("CASME2-coding-20190701.xlsx ignored" in note for note in copy.notes)
    chosen = load_dataset("casme2", root, annotations=root / "CASME2-coding-20190701.xlsx")
    assert chosen["label"].tolist() == ["sadness"]


def test_objective_classes_come_from_their_own_sheet(tmp_path):
    root = casme2(tmp_path, ROWS[:2])
    with pytest.raises(ValueError, match=r"CASME2-ObjectiveClasses\.xlsx"):
        load_dataset("casme2", root, labels="objective")
    cells = [["Subject", "Filename", "Objective Class"], [1, "EP02_01f", 1], ["01", "EP19_05f", "VII"]]
    book(root / "CASME2-ObjectiveClasses.xlsx", S=cells)
    assert load_dataset("casme2", root, labels="objective")["label"].tolist() == ["i", "vii"]
    assert load_dataset("casme2", root)["label"].tolist() == ["happiness", "disgust"]


def test_a_roman_numeral_character_in_names_and_trailing_blanks(tmp_path):
    root = casme2(tmp_path / "CASMEⅡ", ROWS[:1])
    (root / "CASME2-coding-20140508.xlsx").rename(root / "CASMEⅡ-coding.xlsx")
    clip = root / "CASME2_RAW_selected" / "sub01" / "EP02_01f"
    clip.rename(clip.with_name("EP02_01f "))
    clip.parent.rename(clip.parent.with_name("sub01 "))
    for folder in (tmp_path, root):
        table = load_dataset("casme2", folder, annotations=root / "CASMEⅡ-coding.xlsx")
        assert table[["subject", "clip", "status"]].to_numpy().tolist() == [["sub01", "EP02_01f", ""]]
    assert load_dataset("casme2", root)["status"].tolist() == [""]
    with pytest.raises(ValueError, match=r"no frames of CASME "):
        load_dataset("casme", tmp_path, annotations=root / "CASMEⅡ-coding.xlsx")
