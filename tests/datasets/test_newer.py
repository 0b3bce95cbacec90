"""MMEW, 4DME and DFME."""

from pathlib import Path

import pandas as pd
import pytest

from mer.datasets import load_dataset
from mer.datasets.samples import SamplesError
from tests.datasets.copies import book, frames

MMEW = ["Subject", "Filename", "OnsetFrame", "ApexFrame", "OffsetFrame", "Action Units", "Estimated Emotion", "remarks"]


@pytest.mark.parametrize("layout", ["Micro_Expression/others/S13-07-001", "S13/others/S13-07-001"])
def test_mmew_in_both_layouts(tmp_path, layout):
    book(tmp_path / "MMEW_Micro_Exp.xlsx", Sheet1=[MMEW, [13, "S13-07-001", 1, 20, 54, "4+7", "others", "x"]])
    frames(tmp_path / layout, range(1, 60), "{}.jpg")
    table = load_dataset("mmew", tmp_path)
    assert table[["subject", "clip", "onset", "apex", "offset", "label"]].to_numpy().tolist() == [
        ["S13", "S13-07-001", 1, 20, 54, "others"]
    ]
    assert table["status"].tolist() == [""]


def test_4dme_may_have_several_labels(tmp_path):
    header = ["sub_ID", "fold_name", "fold", "Emotion", "Onset", "Apex", "Offset", "AUs", "AU1'", "AU4", "Total",
              "Positive", "Negative", "Surprise", "Repression", "Others", "eye blink"]  # fmt: skip
    rows = [
        [1, "01_a", 1, "x", 10, 15, 20, "4+7(k)", 0, 1, 1, 0, 1, 0, 1, 0, 0],
        [1, "01_b", 2, "Positive", 30, 35, 40, "AU12", 0, 0, 1, 1, 0, 0, 0, 0, 1],
    ]
    book(tmp_path / "4DME_Labelling_Micro_release v1.xlsx", Sheet1=[header, *rows])
    for variant in ("gray_micro", "gray_micro_crop"):
        for clip, first in (("01_a", 10), ("01_b", 30)):
            frames(tmp_path / variant / "1" / clip, range(first, first + 11), "{}.jpg")
    table = load_dataset("4dme", tmp_path)
    assert table["label"].tolist() == ["negative+repression", "positive"]
    assert table["aus"].tolist() == ["4+7(k)", "AU12"]
    assert all("gray_micro" in Path(source).parts for source in table["source"])


def test_dfme_has_a_rate_for_each_clip(tmp_path):
    header = ["Subject", "Filename", "OnsetFrame", "ApexFrame", "OffsetFrame", "Emotion", "EmotionId", "Fps", "AU"]
    rows = [
        ["sub0003", "sub0003_01", 0, 20, 44, "disgust", 2, 500, "4"],
        ["sub0007", "sub0007_02", 1, 10, 30, 4, 4, 200, "12"],
    ]
    book(tmp_path / "training_full_with_AU.xlsx", Sheet1=[header, *rows])
    for clip in ("sub0003_01", "sub0007_02"):
        frames(tmp_path / "train" / clip, range(50), "{:05d}.png")
    table = load_dataset("dfme", tmp_path)
    assert table["fps"].tolist() == [500, 200]
    assert table["label"].tolist() == ["disgust", "happiness"]
    assert table["onset"].tolist() == [0, 1]


FOURDME = ["sub_ID", "fold_name", "Emotion", "Onset", "Apex", "Offset", "AUs", "Positive", "Negative", "Surprise"]


def fourdme(root, marks):
    """4DME, its sheet saved as text, with a clip for each tuple of marks `positive, negative, surprise`."""
    rows = [[1, f"01_{i}", "", 10, 15, 20, "4", *row] for i, row in enumerate(marks)]
    for i in range(len(marks)):
        frames(root / "gray_micro" / "1" / f"01_{i}", range(10, 21), "{}.jpg")
    pd.DataFrame(rows, columns=FOURDME).to_csv(root / "4DME_Labelling_Micro_release v1.csv", index=False)
    return root


@pytest.mark.parametrize("one", [1, 1.0, "1.0", True, "yes", "x"])
def test_4dme_marks_as_spreadsheets_and_pandas_write_them(tmp_path, one):
    table = load_dataset("4dme", fourdme(tmp_path, [(one, 0, None), (None, one, one), (0.0, False, one)]))
    assert table["label"].tolist() == ["positive", "negative+surprise", "surprise"]


def test_4dme_marks_that_are_none_are_refused(tmp_path):
    with pytest.raises(SamplesError, match=r"row 3: negative is 'maybe'; expected 1 where it is, or 0"):
        load_dataset("4dme", fourdme(tmp_path, [(1, 0, 0), (0, "maybe", 0)]))


def test_4dme_beside_other_databases(tmp_path):
    for person in ("spNO.1", "spNO.2"):
        frames(tmp_path / "CAS(ME)3" / "part_A" / person / "a" / "color", [8], "{}.jpg")
        frames(tmp_path / "mine" / person / "a" / "color", [8], "{}.jpg")
    table = load_dataset("4dme", fourdme(tmp_path / "4DME", [(1, 0, 0)]).parent)
    assert table[["subject", "clip", "status"]].to_numpy().tolist() == [["sub01", "01_0", ""]]


def test_dfme_with_ids_of_emotions_alone(tmp_path):
    header = ["Subject", "Filename", "OnsetFrame", "ApexFrame", "OffsetFrame", "EmotionId", "Fps", "AU"]
    rows = [["sub0003", f"sub0003_0{i}", 0, 20, 44, i, 500, "4"] for i in range(7)]
    book(tmp_path / "training_full_with_AU.xlsx", Sheet1=[header, *rows])
    for row in rows:
        frames(tmp_path / "train" / row[1], range(50), "{:05d}.png")
    expected = ["anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise"]
    assert load_dataset("dfme", tmp_path)["label"].tolist() == expected
