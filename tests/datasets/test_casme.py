from mer.datasets import load_dataset
from tests.datasets.copies import CASME2_ROWS, book, casme2, frames

HEADER = ["Subject", "Filename", None, "OnsetF", "ApexF1", "ApexF2", "OffsetF", None, "AU", "Emotion"]


def casme(root):
    rows = [
        [1, "EP01_12", None, 10, 14, 0, 20, None, "4+7", "tense"],
        [1, "EP01_12", None, 40, 44, 47, 50, None, 4, "Repression"],
        [2, "EP03_1", None, 100, 120, 0, 149, None, "L10", "disgust"],
    ]
    book(root / "casme.xlsx", Sheet1=[HEADER, *rows])
    frames(root / "CASME_raw_selected" / "sub01" / "EP01_12", range(1, 61), "img{:03d}.jpg")
    frames(root / "CASME_raw_selected" / "sub02" / "EP03_1", range(1, 51), "img{:03d}.jpg")
    return root


def test_a_clip_may_hold_two_expressions(tmp_path):
    table = load_dataset("casme", casme(tmp_path))
    first = table[table["subject"] == "sub01"]
    assert first[["clip", "onset", "apex", "offset", "label", "aus"]].to_numpy().tolist() == [
        ["EP01_12", 10, 14, 20, "tense", "4+7"],
        ["EP01_12", 40, 44, 50, "repression", "4"],
    ]
    assert first["fps"].tolist() == [60, 60]
    assert (first["status"] == "").all()


def test_a_row_with_missing_frames_names_the_frames_of_the_folder(tmp_path):
    row = load_dataset("casme", casme(tmp_path)).iloc[-1]
    assert row["status"] == "missing_frames"
    assert row["message"] == "onset 100 and apex 120 missing: the 50 frames are 1 to 50"


def test_people_with_the_same_name_in_two_databases_are_kept_apart(tmp_path):
    one = load_dataset("casme", casme(tmp_path / "a"))
    two = load_dataset("casme2", casme2(tmp_path / "b", CASME2_ROWS))
    assert "sub01" in set(one["subject"]) & set(two["subject"])
    assert set(zip(one["dataset"], one["subject"])).isdisjoint(zip(two["dataset"], two["subject"]))
