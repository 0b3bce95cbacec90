"""The semantic prior and the initial flows."""

from __future__ import annotations

import numpy as np
import pytest

from mer.decflow.prior import cell_means, face_map, initial_flows
from mer.face.canonical import canonical_landmarks


def test_the_face_map_has_canonical_coordinates_at_the_landmarks():
    points = canonical_landmarks() * 50
    points[:, :2] += [64, 50]
    values = face_map(points, (128, 128))
    for index in (1, 33, 263, 61, 291):  # nose tip, eye corners, mouth corners
        x, y = (points[index, :2] - 1.5) / 4
        patch = values[:3, int(y) : int(y) + 2, int(x) : int(x) + 2].mean(axis=(1, 2))
        assert np.abs(patch - canonical_landmarks()[index]).max() < 0.1
    assert values[4, 16, 16] == 1
    assert values[4, 0, 0] == 0
    assert np.isfinite(values).all()


def test_cells_are_means_over_4_x_4_pixels():
    field = np.random.default_rng(0).normal(size=(8, 12, 2)).astype(np.float32)
    assert np.allclose(cell_means(field)[:, 1, 2], field[4:8, 8:12].mean(axis=(0, 1)), atol=1e-6)


def test_frames_that_do_not_divide_into_cells_are_rejected():
    with pytest.raises(ValueError, match="multiples of 4"):
        face_map(canonical_landmarks(), (64, 66))


def test_without_a_face_in_the_frame_the_initial_head_flow_is_zero():
    rng = np.random.default_rng(0)
    onset, apex = rng.integers(0, 256, (2, 64, 64, 3), np.uint8)
    landmarks = canonical_landmarks() * 20 + [1000, 1000, 0]
    flows = initial_flows(onset, apex, landmarks.astype(np.float32))
    assert flows.shape == (4, 16, 16)
    assert not flows[2:].any()
