from pathlib import Path

import pandas as pd
import pytest

from mer.datasets import load_dataset
from mer.datasets.samples import SamplesError
from tests.datasets.copies import book, casme3, frames

ROWS = [
    ("spNO.1", "a", 100, 104, 120, "4+7", "III", "disgust"),
    ("spNO.1", "a", 200, 205, 230, "1+2", "II", "Surprise"),
    ("spNO.14", "J", 50, 56, 90, "17", "VII", "Others"),
    ("spNO.40", "e", 300, 306, 0, "12", "I", "happy"),
    ("spNO.55", "b", 120, 120, 140, "12", "I", "sad"),
    ("spNO.216", "e", 0, 12, 30, "4", "III", "fear"),
]


def test_text_cells_two_expressions_in_a_clip_and_a_capital_letter(tmp_path):
    table = load_dataset("casme3", casme3(tmp_path, ROWS))
    assert list(zip(table["subject"], table["clip"], table["onset"])) == [
        ("spNO.1", "a", 100),
        ("spNO.1", "a", 200),
        ("spNO.14", "j", 50),
        ("spNO.216", "e", 8),
        ("spNO.40", "e", 300),
        ("spNO.55", "b", 120),
    ]
    assert table["label"].tolist() == ["disgust", "surprise", "others", "fear", "happy", "sad"]
    assert (table["status"] == "").all()
    assert all("color" in source for source in table["source"])


def test_an_offset_of_0_becomes_the_apex_and_an_apex_at_the_onset_is_blanked(tmp_path):
    table = load_dataset("casme3", casme3(tmp_path, ROWS)).set_index("subject")
    assert table.loc["spNO.40", "offset"] == 306
    assert "no offset, so the expression ends at the apex, frame 306" in table.loc["spNO.40", "message"]
    assert pd.isna(table.loc["spNO.55", "apex"])
    assert table.loc["spNO.55", "offset"] == 140


def test_without_apex_and_offset_the_expression_is_half_a_second_long(tmp_path):
    rows = [("spNO.1", "a", 100, 100, 0, "4", "III", "fear"), ("spNO.1", "b", 395, 390, 20, "4", "III", "fear")]
    table = load_dataset("casme3", casme3(tmp_path, rows))
    assert table["offset"].tolist() == [115, 399]
    assert table["apex"].isna().all()
    assert "the offset 20 is not after the onset 395" in table.loc[1, "message"]


def test_a_missing_frame_is_replaced_by_the_nearest_one_up_to_a_limit(tmp_path):
    table = load_dataset("casme3", casme3(tmp_path, ROWS)).set_index("subject")
    assert table.loc["spNO.216", "message"].startswith("onset 0 is missing, frame 8 is used instead")
    numbers = [n for n in range(8, 400) if not 85 <= n <= 115]
    table = load_dataset("casme3", casme3(tmp_path / "b", ROWS[:1], numbers)).set_index("subject")
    assert table.loc["spNO.1", "status"] == "missing_frames"
    assert "onset 100" in table.loc["spNO.1", "message"]


def test_two_expressions_never_get_the_same_onset(tmp_path):
    rows = [("spNO.1", "a", 0, 12, 30, "4", "III", "fear"), ("spNO.1", "a", 1, 14, 30, "4", "III", "fear")]
    table = load_dataset("casme3", casme3(tmp_path, rows))
    assert sorted(table["status"]) == ["", "missing_frames"]
    rows = [("spNO.1", "a", 0, 12, 30, "4", "III", "fear"), ("spNO.1", "a", 8, 14, 30, "4", "III", "fear")]
    table = load_dataset("casme3", casme3(tmp_path / "b", rows))
    assert table[["onset", "status"]].to_numpy().tolist() == [[0, "missing_frames"], [8, ""]]


def test_clips_as_the_owners_cut_them(tmp_path):
    root = casme3(tmp_path, ROWS[:2], numbers=[])
    for onset, last in ((100, 120), (200, 230)):
        for kind in ("frame", "depth"):
            frames(root / "Part_A_ME_clip" / kind / f"spNO.1_a_{onset}", range(onset, last + 1), "{}.jpg")
    table = load_dataset("casme3", root)
    assert [Path(source).name for source in table["source"]] == ["spNO.1_a_100", "spNO.1_a_200"]
    assert (table["status"] == "").all()


def test_version_1_is_refused(tmp_path):
    root = casme3(tmp_path, [("spNO.1", "a", i, i + 2, i + 5, "4", "III", "fear") for i in range(8, 8 + 921)], [8])
    with pytest.raises(SamplesError, match="version 1 of the sheet"):
        load_dataset("casme3", root)


def test_objective_classes(tmp_path):
    table = load_dataset("casme3", casme3(tmp_path, ROWS), labels="objective")
    assert table["label"].tolist() == ["iii", "ii", "vii", "iii", "i", "i"]


def test_part_c_has_no_apex_and_commas_between_units(tmp_path):
    rows = [["sub", "count", "onset", "offset", "au", "emotion"], [1, 1, 100, 115, "1,2，4", "negative"]]
    book(tmp_path / "CAS(ME)3_part_C_ME.xlsx", mockCrimeME=rows)
    frames(tmp_path / "part_C" / "1" / "1" / "color", range(90, 130), "{}.jpg")
    table = load_dataset("casme3-c", tmp_path)
    assert table[["subject", "clip", "onset", "offset", "aus", "label"]].to_numpy().tolist() == [
        ["01", "1", 100, 115, "1,2，4", "negative"]
    ]
    assert pd.isna(table.loc[0, "apex"])


@pytest.mark.parametrize("person", ["1", "01", "spNO.1"])
def test_people_of_part_c_are_called_in_several_ways(tmp_path, person):
    rows = [["sub", "count", "onset", "offset", "au", "emotion"], ["1.0", 1, 100, 115, "4", "negative"]]
    book(tmp_path / "CAS(ME)3_part_C_ME.xlsx", mockCrimeME=rows)
    frames(tmp_path / "part_C" / person / "1" / "color", range(90, 130), "{}.jpg")
    table = load_dataset("casme3-c", tmp_path)
    assert table[["subject", "clip", "status"]].to_numpy().tolist() == [["01", "1", ""]]
