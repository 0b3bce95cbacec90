"""Tracking a face in one photograph, moved and warped by known amounts."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from mer.datasets.video import Clip
from mer.extraction.settings import FACES
from mer.spotting.face_motion import HEAD_POINTS, POINTS, REGION_OF, Motion, track_face


def clip_of(images: list[np.ndarray], fps: float = 25.0) -> Clip:
    numbers = np.arange(len(images))
    return Clip(Path("drawn"), numbers, numbers / fps, fps, lambda positions: (images[i] for i in positions))


def tracked(images: list[np.ndarray]) -> Motion:
    clip = clip_of(images)
    return track_face(clip, clip.numbers, clip.times, clip.fps, "dis", FACES["largest"])


@pytest.fixture(scope="module")
def photograph(astronaut: np.ndarray) -> np.ndarray:
    return cv2.resize(astronaut, (320, 320), interpolation=cv2.INTER_AREA)


def shifted(image: np.ndarray, x: float, y: float) -> np.ndarray:
    matrix = np.array([[1, 0, x], [0, 1, y]], np.float64)
    return cv2.warpAffine(image, matrix, image.shape[1::-1], flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


def test_a_shifted_head_shows_no_expression(photograph: np.ndarray) -> None:
    motion = tracked([shifted(photograph, 0.4 * i, 0) for i in range(6)])
    assert motion.sites.shape == (6, len(POINTS), 2)
    assert motion.head.shape == (6, len(HEAD_POINTS), 2)
    face = motion.keys[0]
    unit = np.linalg.norm(face.landmarks[263] - face.landmarks[33])
    assert motion.head[-1, :, 0].mean() == pytest.approx(100 * 2.0 / unit, rel=0.15)
    assert np.abs(motion.sites).max() < 1.0
    assert len(motion.keys) == 1


def test_a_raised_brow_moves_only_the_brows(photograph: np.ndarray) -> None:
    x, y = np.meshgrid(*(np.arange(320, dtype=np.float32),) * 2)
    brow = tracked([photograph]).keys[0].landmarks[[70, 105, 107, 300, 334, 336], :2].mean(axis=0)
    lift = 1.5 * np.exp(-(((x - brow[0]) / 30) ** 2 + ((y - brow[1]) / 9) ** 2)).astype(np.float32)
    raised = cv2.remap(photograph, x, y + lift, cv2.INTER_CUBIC)
    motion = tracked([photograph, raised])
    region = np.array(REGION_OF)
    assert motion.sites[1, region == "brows", 1].mean() < -0.5  # up
    assert np.abs(motion.sites[1, region == "mouth"]).mean() < 0.3


def test_frames_without_a_face_are_nan(photograph: np.ndarray) -> None:
    black = np.zeros_like(photograph)
    motion = tracked([black, *[photograph] * 12, black])
    has_face = np.isfinite(motion.sites[:, 0, 0])
    assert not has_face[0]
    assert has_face[8:13].all()
    assert motion.keys[0].number <= 7  # found within a fifth of a second


def test_a_head_that_moves_away_gets_new_key_frames(photograph: np.ndarray) -> None:
    motion = tracked([shifted(photograph, 6 * i, 0) for i in range(6)])
    assert len(motion.keys) > 1
    unit = np.linalg.norm(motion.keys[0].landmarks[263] - motion.keys[0].landmarks[33])
    assert motion.head[-1, :, 0].mean() == pytest.approx(100 * 30 / unit, rel=0.1)  # no motion is lost in between


def test_a_video_without_a_face_has_no_key_frames() -> None:
    motion = tracked([np.zeros((64, 64, 3), np.uint8)] * 3)
    assert motion.keys == []
    assert np.isnan(motion.sites).all()
