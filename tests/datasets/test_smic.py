import pandas as pd
import pytest

from mer.datasets import load_dataset
from tests.datasets.copies import book, frames

CLIPS = {"s1_ne_01": "negative", "s1_po_02": "positive", "s11_sur_01": "surprise", "s11_ne_10": "negative"}


def smic(root, camera="HS", first=90823):
    for clip, label in CLIPS.items():
        person = clip.split("_")[0]
        folder = root / "SMIC_all_raw" / camera / person / "micro" / label / clip
        frames(folder, range(first, first + 20), "image{:06d}.jpg")
    return root


def test_labels_come_from_names_since_there_is_no_sheet(tmp_path):
    table = load_dataset("smic", smic(tmp_path))
    assert table[["subject", "clip", "label"]].to_numpy().tolist() == [
        ["s01", "s01_ne_01", "negative"],
        ["s01", "s01_po_02", "positive"],
        ["s11", "s11_ne_10", "negative"],
        ["s11", "s11_sur_01", "surprise"],
    ]
    assert table["onset"].tolist() == [90823] * 4
    assert table["offset"].tolist() == [90842] * 4
    assert table["apex"].isna().all()
    assert (table["fps"] == 100).all()
    assert (table["status"] == "").all()


def test_annotations_can_add_an_apex(tmp_path):
    given = tmp_path / "apex.csv"
    given.write_text("subject,clip,apex\ns01,s01_ne_01,90830\n1,s11_sur_01,90833\n")
    table = load_dataset("smic", smic(tmp_path / "smic"), annotations=given)
    assert table["apex"].tolist()[0] == 90830
    assert table["apex"].isna().tolist() == [False, True, True, False]


def test_each_camera_is_a_dataset(tmp_path):
    smic(tmp_path, "HS")
    smic(tmp_path, "VIS", 500)
    smic(tmp_path, "NIR", 700)
    frames(tmp_path / "HS_long" / "SMIC_HS_E" / "s01" / "s1_ne_01", range(1, 99))
    frames(tmp_path / "SMIC_all_raw" / "HS" / "s1" / "non_micro" / "s1_ne_01", range(9))
    for name, onset, fps in (("smic", 90823, 100), ("smic-vis", 500, 25), ("smic-nir", 700, 25)):
        table = load_dataset(name, tmp_path)
        assert set(table["dataset"]) == {name}
        assert set(table["onset"]) == {onset}
        assert set(table["fps"]) == {fps}
    vis = tmp_path / "SMIC_all_raw" / "VIS"
    assert set(load_dataset("smic-vis", vis)["onset"]) == {500}
    with pytest.raises(ValueError, match=r"no frames of SMIC \(HS\)"):
        load_dataset("smic", vis)


def test_the_extended_clips_have_a_sheet(tmp_path):
    header = ["Subject", "Filename", "OnsetF", "OffsetF", "TotalMF", "Emotion", "FirstF", "LastF", "TotalVL"]
    book(tmp_path / "SMIC-HS-E_annotation.xlsx", Sheet1=[header, [1, "s1_ne_01", 30, 60, 31, "negative", 1, 98, 98]])
    frames(tmp_path / "HS_long" / "SMIC_HS_E" / "s01" / "s1_ne_01", range(1, 99), "image{:06d}.jpg")
    table = load_dataset("smic-e", tmp_path)
    assert table[["subject", "clip", "onset", "offset", "label"]].to_numpy().tolist() == [
        ["s01", "s01_ne_01", 30, 60, "negative"]
    ]
    assert pd.isna(table.loc[0, "apex"])


def test_two_frames_with_the_same_number_are_reported(tmp_path):
    root = smic(tmp_path)
    (root / "SMIC_all_raw" / "HS" / "s1" / "micro" / "negative" / "s1_ne_01" / "image90823.jpg").touch()
    row = load_dataset("smic", root).iloc[0]
    assert row["status"] == "unreadable"
    assert "both frame 90823" in row["message"]


def test_a_clip_in_the_folder_of_another_label_is_reported(tmp_path):
    root = smic(tmp_path)
    micro = root / "SMIC_all_raw" / "HS" / "s1" / "micro"
    (micro / "negative" / "s1_ne_01").rename(micro / "positive" / "s1_ne_01")
    table = load_dataset("smic", root).set_index("clip")
    assert table.loc["s01_ne_01", "status"] == "bad_annotation"
    assert table.loc["s01_ne_01", "message"] == (
        "the name s1_ne_01 means negative, but its folder is positive: move or rename it"
    )
    assert (table.drop(index="s01_ne_01")["status"] == "").all()
    (micro / "positive").rename(micro / "ne")  # the short name of the right label
    assert load_dataset("smic", root).set_index("clip").loc["s01_ne_01", "status"] == ""
