from pathlib import Path

import pandas as pd
import pytest

from mer.datasets import load_dataset
from mer.datasets.samples import SamplesError
from tests.datasets.copies import book, frames

HEADER = ["sub_ID", "fold_name", "Emotion", "Onset", "Apex", "Offset", "AUs", "Positive", "Negative", "Surprise"]


def test_a_clip_may_have_several_labels(tmp_path):
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


def fourdme(root, labels):
    """A copy with its sheet saved as text, and a clip for each tuple of cells `positive, negative, surprise`."""
    rows = [[1, f"01_{i}", "", 10, 15, 20, "4", *row] for i, row in enumerate(labels)]
    for i in range(len(labels)):
        frames(root / "gray_micro" / "1" / f"01_{i}", range(10, 21), "{}.jpg")
    pd.DataFrame(rows, columns=HEADER).to_csv(root / "4DME_Labelling_Micro_release v1.csv", index=False)
    return root


@pytest.mark.parametrize("one", [1, 1.0, "1.0", True, "yes", "x"])
def test_labels_are_read_as_spreadsheets_and_pandas_write_them(tmp_path, one):
    table = load_dataset("4dme", fourdme(tmp_path, [(one, 0, None), (None, one, one), (0.0, False, one)]))
    assert table["label"].tolist() == ["positive", "negative+surprise", "surprise"]


def test_a_cell_that_is_neither_0_nor_1_is_refused(tmp_path):
    with pytest.raises(SamplesError, match=r"row 3: negative is 'maybe'; expected 0 or 1"):
        load_dataset("4dme", fourdme(tmp_path, [(1, 0, 0), (0, "maybe", 0)]))


def test_folders_of_other_databases_are_ignored(tmp_path):
    for person in ("spNO.1", "spNO.2"):
        frames(tmp_path / "CAS(ME)3" / "part_A" / person / "a" / "color", [8], "{}.jpg")
        frames(tmp_path / "mine" / person / "a" / "color", [8], "{}.jpg")
    table = load_dataset("4dme", fourdme(tmp_path / "4DME", [(1, 0, 0)]).parent)
    assert table[["subject", "clip", "status"]].to_numpy().tolist() == [["sub01", "01_0", ""]]
