import numpy as np
import pandas as pd
import pytest

from mer.evaluation.confusions import with_pictures, worst_confusions
from mer.evaluation.evaluate_folder import evaluate
from tests.drawn_flows import write_drawn_flows


def predictions(*rows: tuple) -> pd.DataFrame:
    """Rows of subject, clip, seed, label, prediction, score of a, score of b."""
    table = pd.DataFrame(rows, columns=["subject", "clip", "seed", "label", "prediction", "score_a", "score_b"])
    return table.assign(dataset="videos", onset=0, fold="x")


def test_the_most_frequent_confusion_comes_first_and_its_clearest_clip():
    table = predictions(
        ("s1", "c1", 0, "a", "b", 0.4, 0.6),
        ("s1", "c2", 0, "a", "b", 0.1, 0.9),
        ("s2", "c3", 0, "a", "a", 0.8, 0.2),
        ("s2", "c4", 0, "b", "a", 0.7, 0.3),
        ("s2", "c5", 0, "b", "", np.nan, np.nan),
    )
    first, second = worst_confusions(table, runs=1)
    assert (first["truth"], first["answer"], first["times"], first["of"]) == ("a", "b", 2, 3)
    assert [clip["clip"] for clip in first["clips"]] == ["c2", "c1"]
    assert (second["times"], second["of"]) == (1, 2)  # a clip that failed is no confusion


def test_clips_that_are_wrong_in_more_seeds_come_first_and_counts_are_means():
    table = predictions(
        ("s1", "c1", 0, "a", "b", np.nan, np.nan),
        ("s1", "c1", 1, "a", "b", np.nan, np.nan),
        ("s1", "c2", 0, "a", "b", np.nan, np.nan),
        ("s1", "c2", 1, "a", "a", np.nan, np.nan),
    )
    [only] = worst_confusions(table, runs=2)
    assert only["times"] == 1.5
    assert [(clip["clip"], clip["seeds"]) for clip in only["clips"]] == [("c1", 2), ("c2", 1)]


def test_nothing_wrong_is_an_empty_list():
    assert worst_confusions(predictions(("s1", "c1", 0, "a", "a", 1, 0)), runs=1) == []


def test_flows_are_read_and_missing_ones_are_reported(tmp_path):
    write_drawn_flows(tmp_path, people=2, shuffled=True)
    result = evaluate(tmp_path, model="majority")
    worst = worst_confusions(result.predictions, 1, clips=12)
    gone = worst[0]["clips"][0]
    (tmp_path / f"videos/{gone['subject']}/{gone['clip']}_0.npz").unlink()
    confusions = with_pictures(worst, tmp_path, {"align": "mediapipe"})
    clips = [clip for one in confusions for clip in one["clips"]]
    read = [clip for clip in clips if not clip["missing"]]
    assert [clip for clip in clips if clip["missing"]] == [gone]
    assert [picture["name"] for picture in read[0]["pictures"]] == ["facial", "head", "expression"]
    assert read[0]["faces"] == []
    assert read[0]["pictures"][2]["outline"].startswith("M")


def test_a_missing_folder_is_reported(tmp_path):
    table = predictions(("s1", "c1", 0, "a", "b", 0.4, 0.6))
    [only] = with_pictures(worst_confusions(table, 1), tmp_path / "gone", {})
    assert "gone" in only["clips"][0]["missing"]
    assert only["clips"][0]["pictures"] == []


@pytest.mark.slow
def test_faces_are_read_from_the_videos(sample_videos, tmp_path):
    from mer.extraction.extract import extract_flow

    extract_flow(sample_videos, tmp_path, method="farneback")
    result = evaluate(tmp_path, model="majority")
    [first, *_] = with_pictures(worst_confusions(result.predictions, 1), tmp_path, result.run, with_faces=True)
    faces = first["clips"][0]["faces"]
    assert [face["name"] for face in faces] == ["onset", "apex"]
    assert all(face["image"].startswith("data:image/jpeg;base64,") for face in faces)
