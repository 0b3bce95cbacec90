"""The flow of spotted intervals is made like the training flow of the model that reads it."""

from __future__ import annotations

import numpy as np
import pytest

from mer.datasets.video import open_clip
from mer.evaluation.train_classifier import train_classifier
from mer.extraction.extract import extract_flow
from mer.flow import load_flow
from mer.models.emotion_reader import EmotionReader
from mer.models.model_files import load_model, save_model
from mer.spotting.measure_interval import measure_interval, name_emotions, settings_for
from tests.analyzed import spotted


@pytest.fixture(scope="module")
def fitted(sample_videos, tmp_path_factory):
    """A model of facial flow by DIS between crops of 96 pixels, its flow folder, and the samples table."""
    out = tmp_path_factory.mktemp("recognition")
    table = extract_flow(sample_videos, out / "flows", method="dis", size=96)
    train_classifier(out / "model.npz", "svm-hoof", out / "flows", protocol="loso", component="facial")
    return out / "model.npz", out / "flows", table


def test_settings_come_from_the_options_then_the_reader_then_the_defaults(fitted):
    reader = EmotionReader.load(fitted[0])
    settings = settings_for(reader, size=64, align=None, face="left")
    assert (settings.method, settings.align, settings.size, settings.face) == ("dis", "mediapipe", 64, "left")
    settings = settings_for(EmotionReader.load())
    assert (settings.method, settings.align, settings.size) == ("decflow", "mediapipe", 224)


def test_spotted_flow_is_made_like_the_training_flow(fitted, sample_videos, monkeypatch):
    model, flows, table = fitted
    row = table[table["subject"] == "p01"].iloc[0]
    video = next((sample_videos / "p01").glob(f"{row['clip']}*"))
    reader = EmotionReader.load(model)
    inputs = []
    predict = reader.estimator.predict
    monkeypatch.setattr(reader.estimator, "predict", lambda X: inputs.append(X) or predict(X))
    spotting = spotted(video, ((int(row["onset"]), int(row["apex"]), int(row["offset"])),))
    names = name_emotions(reader, spotting, settings_for(reader))
    training_flow = load_flow(flows / row["path"]).facial / row["scale"]
    assert np.abs(inputs[0].reshape(96, 96, 2) - training_flow).max() < 1e-4
    assert names[0] in load_model(model)[1]["classes"]


def test_without_a_face_in_the_onset_the_key_frame_is_used(fitted, sample_videos, monkeypatch):
    video = sorted((sample_videos / "p01").glob("*.mp4"))[0]
    spotting = spotted(video, ((2, 6, 9),))
    reader = EmotionReader.load(fitted[0])
    settings = settings_for(reader)
    monkeypatch.setattr("mer.extraction.expression.detect_faces", lambda *_: [])
    expression = measure_interval(open_clip(video), spotting, spotting.intervals.iloc[0].to_dict(), settings)
    assert expression.n_faces == 0
    assert np.array_equal(expression.alignment.matrix, spotting.alignment_at(2, 96).matrix)
    assert name_emotions(reader, spotting, settings)[0] in reader.classes


def test_a_model_of_imported_flow_is_refused(fitted, tmp_path):
    estimator, record = load_model(fitted[0])
    record["flow"]["method"] = "imported"
    save_model(tmp_path / "other.npz", record["model"], estimator, record)
    with pytest.raises(ValueError, match="imported"):
        settings_for(EmotionReader.load(tmp_path / "other.npz"))
