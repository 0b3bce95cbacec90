import pytest

from mer.datasets import DATASETS, load_dataset, read_copy
from mer.datasets.check import check_copy
from mer.datasets.samples import SamplesError
from tests.datasets.copies import book, frames

CODING = [
    [1, "disgust1_1", 10, 15, 20, "4+7", "negative", "micro-expression", "disgust"],
    [1, "disgust1_2", 40, 50, 0, "4", "negative", "macro-expression", "disgust"],
    [2, "happy2_1", 30, 36, 0, "12", "positive", "micro-expression", "happiness"],
]
PEOPLE = [["s15", 1], ["s16", 2]]
VIDEOS = [["disgust1", "0101"], ["happy2", 502]]


def casme_sq(root, coding=CODING, **tabs):
    tabs = {"CASFEcode_final": coding, "naming rule1": PEOPLE, "naming rule2": VIDEOS} | tabs
    book(root / "CAS(ME)^2code_final.xlsx", **{name: rows for name, rows in tabs.items() if rows})
    frames(root / "rawpic" / "s15" / "15_0101disgustingteeth", range(1, 100), "img{:03d}.jpg")
    frames(root / "rawpic" / "s16" / "16_0502funnyerrors", range(1, 100), "img{:03d}.jpg")
    return root


def test_three_tabs_without_headers_lead_to_a_folder(tmp_path):
    table = load_dataset("casme-sq", casme_sq(tmp_path))
    assert table[["subject", "clip", "onset", "apex", "offset", "label"]].to_numpy().tolist() == [
        ["s15", "15_0101", 10, 15, 20, "negative"],
        ["s16", "16_0502", 30, 36, 36, "positive"],
    ]
    assert table["source"].str.endswith("16_0502funnyerrors").tolist() == [False, True]
    assert "no offset, so the expression ends at the apex, frame 36" in table.loc[1, "message"]
    assert (table["status"] == "").all()


def test_macro_expressions_are_a_question_of_their_own(tmp_path):
    table = load_dataset("casme-sq", casme_sq(tmp_path), macro=True)
    assert table[["subject", "onset", "offset"]].to_numpy().tolist() == [["s15", 40, 50]]


def test_a_missing_tab_is_named(tmp_path):
    with pytest.raises(SamplesError, match=r"has no tab of videos"):
        load_dataset("casme-sq", casme_sq(tmp_path / "a", **{"naming rule2": []}))
    with pytest.raises(SamplesError, match=r"has no tab of people"):
        load_dataset("casme-sq", casme_sq(tmp_path / "b", **{"naming rule1": []}))
    with pytest.raises(SamplesError, match=r"row 3: 'happy2' is not in the third tab"):
        load_dataset("casme-sq", casme_sq(tmp_path / "c", **{"naming rule2": VIDEOS[:1]}))


def test_a_video_of_macro_expressions_alone_is_in_the_sheet(tmp_path):
    root = casme_sq(tmp_path, [*CODING, [2, "anger1_1", 5, 9, 20, "4", "negative", "macro-expression", "anger"]],
                    **{"naming rule2": [*VIDEOS, ["anger1", "0401"]]})  # fmt: skip
    frames(root / "rawpic" / "s16" / "16_0401anger", [1], "img{:03d}.jpg")
    frames(root / "rawpic" / "s16" / "16_0402more", [1], "img{:03d}.jpg")
    details = {one.what: one.detail for one in check_copy(DATASETS["casme-sq"], read_copy(DATASETS["casme-sq"], root))}
    assert details["not in the sheet"] == "1 folder: s16/16_0402more"


def test_one_tab_saved_as_text_is_not_enough(tmp_path):
    (casme_sq(tmp_path) / "CAS(ME)^2code_final.xlsx").unlink()
    lines = "\n".join(",".join(map(str, row)) for row in CODING)
    (tmp_path / "CAS(ME)^2code_final.csv").write_text(lines)
    with pytest.raises(SamplesError, match=r"has one tab, but folders are found by three: give CAS"):
        load_dataset("casme-sq", tmp_path)
    (tmp_path / "CAS(ME)^2code_final.csv").write_text("subject,clip,onset,offset,label\n15,15_0101,10,20,negative\n")
    assert load_dataset("casme-sq", tmp_path)["status"].tolist() == [""]
