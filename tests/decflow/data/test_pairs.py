"""Pairs as tensors."""

from __future__ import annotations

import numpy as np

from mer.decflow.data.pairs import Pair, pixel_coordinates, to_tensors
from mer.face.align import crop_landmarks


def test_coordinates_are_x_before_y():
    points = pixel_coordinates(3)
    assert points.shape == (3, 3, 2)
    assert points[0, 2].tolist() == [2, 0]


def test_everything_is_visible_unless_known_otherwise():
    frame, field = np.zeros((32, 64, 3), np.uint8), np.zeros((32, 64, 2), np.float32)
    tensors = to_tensors(Pair(frame, frame, field, field, frame[..., 0]), crop_landmarks((32, 64)))
    assert tensors["visible"].shape == (1, 32, 64)
    assert tensors["visible"].all()
    assert tensors["start"].shape == (4, 8, 16)
