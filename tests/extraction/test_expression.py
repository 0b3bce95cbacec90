"""From two frames of a clip to an expression: which face is taken, and when there is none."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from mer.datasets.video import Clip
from mer.extraction.expression import ClipFault, closest_face, find_onset, measure_expression
from mer.extraction.settings import ExtractionSettings
from mer.face import Face, canonical_landmarks
from tests.extraction.test_extract import still


def face_at(x: float, width: float = 50) -> Face:
    landmarks = (canonical_landmarks() * width + [x, 80, 0]).astype(np.float32)
    return Face(landmarks, np.float32([x - width, 30, x + width, 130]), 1.0)


SETTINGS = ExtractionSettings(still, size=64)
SMALL, LARGE = face_at(60, 30), face_at(220, 50)


def clip_of(*images: np.ndarray) -> Clip:
    numbers = np.arange(len(images))
    return Clip(Path("drawn"), numbers, numbers / 25, 25.0, lambda positions: (images[i] for i in positions))


@pytest.fixture
def clip() -> Clip:
    noise = np.random.default_rng(0).integers(0, 256, (160, 300, 3), dtype=np.uint8)
    return clip_of(noise, np.roll(noise, 2, axis=1))


@pytest.fixture
def detected(monkeypatch) -> list[list[Face]]:
    """The faces that detection finds, one list per call; the last list is repeated."""
    results: list[list[Face]] = []
    monkeypatch.setattr(
        "mer.extraction.expression.detect_faces", lambda *_: results.pop(0) if len(results) > 1 else results[0]
    )
    return results


def test_both_frames_are_aligned_by_the_face_of_the_onset(clip, detected):
    detected += [[SMALL, LARGE]]
    expression = measure_expression(clip, find_onset(clip, 0, SETTINGS), 1, SETTINGS)
    assert (expression.onset, expression.apex, expression.n_faces) == (0, 1, 2)
    assert expression.flow.mask.shape == (64, 64)
    assert np.allclose(expression.alignment.scale, find_scale(LARGE))
    assert not np.array_equal(*expression.crops)


def find_scale(face: Face) -> float:
    from mer.face import align

    return align(face.landmarks, 64).scale


@pytest.mark.parametrize(("choice", "face"), [("largest", LARGE), ("left", SMALL), ("right", LARGE)])
def test_the_settings_choose_among_faces(clip, detected, choice, face):
    detected += [[SMALL, LARGE]]
    assert find_onset(clip, 0, ExtractionSettings(still, face=choice)).face is face


def test_a_tracked_face_is_followed_and_replaces_a_missing_one(clip, detected):
    detected += [[SMALL, LARGE], []]
    assert find_onset(clip, 0, SETTINGS, face_at(65, 30)).face is SMALL
    tracked = face_at(65, 30)
    onset = find_onset(clip, 0, SETTINGS, tracked)
    assert (onset.face, onset.n_faces) == (tracked, 0)
    assert measure_expression(clip, onset, 1, SETTINGS).n_faces == 0  # the apex is not searched either


def test_a_missing_face_is_a_fault(clip, detected):
    detected += [[], [LARGE], []]
    with pytest.raises(ClipFault, match="no face in frame 0") as fault:
        find_onset(clip, 0, SETTINGS)
    assert fault.value.status == "no_face"
    with pytest.raises(ClipFault, match="none in frame 1") as fault:
        measure_expression(clip, find_onset(clip, 0, SETTINGS), 1, SETTINGS)
    assert fault.value.status == "face_lost"


def test_frames_of_different_sizes_are_a_fault(clip, detected):
    detected += [[LARGE]]
    image = next(clip.frames([0]))[1]
    other = clip_of(image, cv2.resize(image, (100, 100)))
    with pytest.raises(ClipFault, match="differ in size: 300 x 160 and 100 x 100"):
        measure_expression(other, find_onset(other, 0, SETTINGS), 1, SETTINGS)


def test_stabilizing_aligns_the_apex_by_its_own_face(clip, detected):
    settings = ExtractionSettings(still, size=64, stabilize=True)
    moved = face_at(222)
    detected += [[LARGE], [SMALL, moved], [LARGE], [SMALL, moved]]
    stabilized = measure_expression(clip, find_onset(clip, 0, settings), 1, settings)
    plain = measure_expression(clip, find_onset(clip, 0, SETTINGS), 1, SETTINGS)
    assert np.array_equal(stabilized.crops[0], plain.crops[0])
    assert not np.array_equal(stabilized.crops[1], plain.crops[1])
    assert closest_face([SMALL, moved], LARGE) is moved
