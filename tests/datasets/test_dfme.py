import pandas as pd
import pytest

from mer.datasets import DATASETS, load_dataset
from mer.datasets.check import counts, nearest
from mer.datasets.dfme import EMOTIONS
from tests.datasets.copies import book, frames

# Class ids 0 to 6: anger, contempt, disgust, fear, happiness, sadness, surprise.
PUBLISHED = {
    "training_full_with_AU.xlsx": ((161, 100, 548, 265, 206, 278, 298), 1856, 176),
    "test A": ((39, 34, 129, 62, 63, 46, 101), 474, 42),
    "test B": ((41, 37, 58, 38, 42, 35, 48), 299, 41),
}


def test_each_clip_has_its_frame_rate(tmp_path):
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


def test_class_ids_are_read_if_the_emotions_have_no_names(tmp_path):
    header = ["Subject", "Filename", "OnsetFrame", "ApexFrame", "OffsetFrame", "EmotionId", "Fps", "AU"]
    rows = [["sub0003", f"sub0003_0{i}", 0, 20, 44, i, 500, "4"] for i in range(7)]
    book(tmp_path / "training_full_with_AU.xlsx", Sheet1=[header, *rows])
    for row in rows:
        frames(tmp_path / "train" / row[1], range(50), "{:05d}.png")
    expected = ["anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise"]
    assert load_dataset("dfme", tmp_path)["label"].tolist() == expected


def test_the_published_counts_of_each_part():
    editions = {edition.source: edition for edition in DATASETS["dfme"].published}
    assert set(editions) == set(PUBLISHED)
    assert EMOTIONS == ("anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise")
    for source, (by_id, total, people) in PUBLISHED.items():
        assert editions[source].labels == dict(zip(EMOTIONS, by_id))
        assert editions[source].total == total
        assert editions[source].people == people


@pytest.mark.parametrize("part", PUBLISHED)
def test_a_part_is_compared_with_its_own_counts(part):
    labels = [emotion for emotion, n in zip(EMOTIONS, PUBLISHED[part][0]) for _ in range(n)]
    samples = pd.DataFrame({"label": labels, "subject": "sub0001"})
    assert nearest(DATASETS["dfme"], samples).source == part
    assert all(str(here) == published for _, here, published in counts(DATASETS["dfme"], samples))
