"""Which published image belongs to which clip."""

import shutil

import pandas as pd
import pytest

from mer.datasets.samples import SamplesError
from mer.extraction.image_names import image_names
from mer.flow import load_flow
from tests.extraction.imported import imported


def test_the_likeliest_name_comes_first():
    row = {"dataset": "casme2", "subject": "1", "clip": "EP01"}
    names = image_names(row, "sub01", ["own name "])
    assert names[0] == "1_EP01"
    assert {"sub01_EP01", "01_EP01", "casme2_1_EP01", "own name", "EP01"} <= set(names)
    assert names.index("own name") > names.index("casme2_1_EP01")
    assert len(names) == len(set(names))


def test_images_may_have_many_names(small):
    write, table, folder = small
    shutil.rmtree(folder / "images")
    names = ["SUB01_EP00_01F.PNG", "2_EP01_01f.bmp", "6_006_0_2.png", "007_007_1_2 .TIF", "s01_s1_ne_00.png", "x.png"]
    for name in names:
        write(name)
    table.loc[5, "imagename"] = "x.png"
    samples, notes = imported(table, folder)
    assert (samples["status"] == "ok").all()
    assert samples["subject"].tolist() == ["sub01", "sub02", "006", "007", "s01", "s02"]
    assert notes == []


def test_folders_of_databases_separate_equal_names(small):
    write, table, folder = small
    shutil.rmtree(folder / "images")
    table["sub"], table["filename_o"], table["sub_filename"] = "1", "a", ""
    table = table.drop_duplicates("dataset")
    for i, place in enumerate(("CASME2", "SAMM", "smic")):
        write(f"{place}/1_a.png", (i, i, i))
    samples, _ = imported(table, folder, scaling="centered")
    fields = [load_flow(folder / "flows" / path).expression[1, 1, 0] for path in samples["path"]]
    assert fields == [-128, -127, -126]


def test_copies_of_an_image_are_noted_and_different_ones_refused(small):
    write, table, folder = small
    write("u_train/sub01_EP00_01f.png")
    assert imported(table, folder)[1][0].startswith("1 clips have several equal images")
    write("u_train/sub01_EP00_01f.png", (1, 2, 3))
    with pytest.raises(SamplesError, match=r"casme2/sub01/EP00_01f has several images that differ"):
        imported(table, folder)


def test_one_image_for_two_people_is_refused(small):
    write, table, folder = small
    shutil.rmtree(folder / "images")
    write("a.png")
    table["filename_o"], table["sub_filename"], table["imagename"] = "a", "", ""
    with pytest.raises(SamplesError, match=r"image of both casme2/sub01/a and casme2/sub02/a; add the subject"):
        imported(table, folder)


@pytest.mark.parametrize(
    ("clip", "image"),
    [("s1_ne_01", "s01_s01_ne_01 .png"), ("s01_ne_01", "s01_s1_ne_01 .png"), ("s01_ne_01", "s1_s1_ne_01.png"),
     ("s1_ne_01", "s01_ne_01.png")],
)  # fmt: skip
def test_clips_of_smic_have_two_spellings(small, clip, image):
    write, _, folder = small
    write(image)
    table = pd.DataFrame([{"dataset": "smic", "sub": "s1", "filename_o": clip, "label": "0"}])
    samples, _ = imported(table, folder)
    assert samples["status"].tolist() == ["ok"]
