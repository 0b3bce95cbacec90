from __future__ import annotations

import hashlib

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from mer.flow import Flow
from mer.models.emotion_reader import SHIPPED, EmotionReader
from mer.models.model_files import save_model
from mer.models.registry import new_model

CROPS = (np.zeros((32, 32, 3), np.uint8),) * 2
RECORD = {"component": "facial", "clips": 12, "flow": {"method": "dis", "align": None, "size": 32}}


def random_flow(seed: int, size: int = 32) -> Flow:
    rng = np.random.default_rng(seed)
    return Flow.split(rng.normal(size=(size, size, 2)), rng.normal(size=(size, size, 2)), np.ones((size, size)))


@pytest.fixture
def saved(tmp_path):
    """A model of 12 random fields of facial flow, in interocular distances of 10 pixels."""
    estimator = new_model("svm-hoof")
    rows = np.stack([random_flow(seed).facial / 10 for seed in range(12)])
    estimator.fit(rows, np.array(["negative", "positive", "surprise"] * 4))
    save_model(tmp_path / "model.npz", "svm-hoof", estimator, RECORD)
    return tmp_path / "model.npz", estimator


def test_a_saved_model_reads_its_component_in_interocular_distances(saved):
    path, estimator = saved
    reader = EmotionReader.load(path)
    assert (reader.name, reader.component, reader.labeled) == ("svm-hoof", "facial", True)
    assert reader.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    flow = random_flow(3)
    answer, probabilities = reader.read(flow, 10.0, CROPS)
    assert answer == estimator.predict(flow.facial[None] / 10)[0]
    assert set(probabilities) <= set(reader.classes)


def test_a_reader_knows_how_its_training_flow_was_made(saved):
    assert EmotionReader.load(saved[0]).flow_settings == {"method": "dis", "size": 32}


def test_the_shipped_model_has_seen_no_labeled_clip():
    reader = EmotionReader.load()
    assert (reader.name, reader.labeled, reader.sha256, reader.flow_settings) == (SHIPPED, False, "", {})
    answer, probabilities = reader.read(random_flow(0, 224), 90.0, CROPS)
    assert answer == max(probabilities, key=probabilities.get)
    assert sum(probabilities.values()) == pytest.approx(1, abs=1e-6)


def test_flow_of_another_size_is_refused():
    rows = np.stack([random_flow(seed).facial.ravel() for seed in range(6)])
    estimator = LogisticRegression().fit(rows, np.array(["a", "b"] * 3))
    reader = EmotionReader("own", estimator, ("a", "b"), "facial", True, {})
    with pytest.raises(ValueError, match="the model cannot read flow of 40 x 40 pixels"):
        reader.read(random_flow(0, 40), 1.0, CROPS)
