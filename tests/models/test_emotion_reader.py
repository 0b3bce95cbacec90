"""The emotion of spotted intervals, read from flow that is made as the model's own was."""

from __future__ import annotations

import numpy as np
import pytest

from mer.evaluation.train_classifier import train_classifier
from mer.extraction.extract import extract_flow
from mer.flow import load_flow
from mer.models.model_files import load_model, save_model
from mer.spotting.recognition import Recognizer
from tests.analyzed import spotted


@pytest.fixture(scope="module")
def fitted(sample_videos, tmp_path_factory):
    """A model of facial flow by DIS between crops of 96 pixels, and its flow folder's table."""
    out = tmp_path_factory.mktemp("recognition")
    table = extract_flow(sample_videos, out / "flows", method="dis", size=96)
    train_classifier(out / "model.npz", "svm-hoof", out / "flows", protocol="loso", component="facial")
    return out / "model.npz", out / "flows", table


def test_a_model_is_given_flow_of_its_own_kind(fitted, sample_videos, monkeypatch):
    model, flows, table = fitted
    row = table[table["subject"] == "p01"].iloc[0]
    video = next((sample_videos / "p01").glob(f"{row['clip']}*"))
    recognizer = Recognizer(model)
    seen = []
    answer = recognizer.estimator.predict
    monkeypatch.setattr(recognizer.estimator, "predict", lambda X: seen.append(X[0]) or answer(X))
    found = spotted(video, ((int(row["onset"]), int(row["apex"]), int(row["offset"])),))
    names = recognizer.name_emotions(found)
    own = load_flow(flows / row["path"]).facial / row["scale"]
    assert seen[0].shape == (96, 96, 2)
    assert np.abs(seen[0] - own).max() < 1e-4
    assert names[0] in load_model(model)[1]["classes"]


def test_where_the_face_is_not_found_again_the_key_frame_tells_where_it_was(fitted, sample_videos, monkeypatch):
    video = sorted((sample_videos / "p01").glob("*.mp4"))[0]
    found = spotted(video, ((2, 6, 9),))
    monkeypatch.setattr("mer.spotting.recognition.detect_faces", lambda *_: [])
    assert len(Recognizer(fitted[0]).name_emotions(found)) == 1


def test_a_model_of_flow_that_cannot_be_made_is_refused(fitted, tmp_path):
    estimator, record = load_model(fitted[0])
    record["flow"]["method"] = "imported"
    save_model(tmp_path / "other.npz", record["model"], estimator, record)
    with pytest.raises(ValueError, match="imported"):
        Recognizer(tmp_path / "other.npz")
