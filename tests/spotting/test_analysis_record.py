from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mer.extraction.settings import ExtractionSettings
from mer.models.emotion_reader import EmotionReader
from mer.spotting.analysis_record import analysis_record
from tests.analyzed import spotted


@pytest.fixture(scope="module")
def spotting(sample_videos):
    return spotted(sorted((sample_videos / "p01").glob("*.mp4"))[0])


def record_of(spotting, n_faces: int = 1, **options) -> dict:
    options = {"fps": None, "model": None, "with_faces": True, **options}
    reader = EmotionReader("svm-hoof", None, ("a", "b"), "expression", False, {})
    return analysis_record(
        spotting.source, Path("out"), spotting, ExtractionSettings("dis"), reader, n_faces, **options
    )  # fmt: skip


def test_the_command_repeats_the_analysis(spotting):
    command = record_of(spotting, fps=25.0, with_faces=False)["command"]
    assert command.startswith("mer analyze ")
    assert command.endswith("--out out --method dis --fps 25.0 --face largest --align mediapipe --size 224 --no-faces")
    assert "--model my.npz" in record_of(spotting, model="my.npz")["command"]


def test_the_record_holds_video_model_and_hash(spotting):
    record = record_of(spotting)
    assert record["video"] == {"path": str(spotting.source.resolve()), "frames": 20, "fps": 50.0}
    assert record["model"]["name"] == "svm-hoof"
    assert list(record["sha256"]) == ["video"]
    assert len(record["sha256"]["video"]) == 64


def test_a_video_without_limitations_has_no_notes(spotting):
    assert record_of(replace(spotting, fps=100.0))["notes"] == []


def test_notes_name_the_limitations(spotting):
    curve = spotting.curve.copy()
    curve.loc[:9, "strength"] = float("nan")
    landmarks = spotting.keys[0].landmarks / 4
    poor = replace(spotting, fps=25.0, curve=curve, keys=[replace(spotting.keys[0], landmarks=landmarks)])
    notes = record_of(poor, n_faces=3)["notes"]
    assert "The video shows 3 faces. The largest one at the start was tracked" in notes[0]
    assert "--face left or --face right" in notes[0]
    assert notes[1].startswith("A face was found in 50 % of the frames")
    assert "At 25 frames per second, a micro-expression of 0.2 s has 5 frames" in notes[2]
    assert "pixels apart" in notes[3]
