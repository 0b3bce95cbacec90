"""Random skin motion."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from mer.decflow.data.skin_motion import STEEPEST, bumps, patches, skin_flow, waves
from mer.face.align import face_mask
from mer.face.canonical import canonical_landmarks


@pytest.mark.parametrize("kind", [bumps, patches, waves])
def test_each_kind_of_skin_motion_is_smooth(kind):
    y, x = np.mgrid[:64, :64].astype(float) * 2
    points = canonical_landmarks() * 50 + [64, 50, 0]
    for seed in range(5):
        field = kind(points, x, y, np.random.default_rng(seed), 50.0)
        assert field.shape == (64, 64, 2)
        assert np.abs(field).max() > 0
        assert np.abs(np.gradient(field, axis=(0, 1))).max() < 0.5 * np.abs(field).max()


@pytest.mark.parametrize("seed", range(8))
def test_skin_flow_has_the_requested_size_unless_it_would_fold(seed):
    landmarks = canonical_landmarks() * 50 + [64, 50, 0]
    mask = face_mask(landmarks, 128)
    flow = skin_flow(landmarks, mask, np.random.default_rng(seed), 50.0, (0.02, 0.02000001))
    longest = np.linalg.norm(flow, axis=-1).max()
    slope = max(np.abs(np.gradient(flow[..., n])).max() for n in (0, 1))
    assert 0 < longest < 1.001
    assert longest > 0.9 or slope > 0.5 * STEEPEST
    far = cv2.dilate(mask, np.ones((25, 25))) == 0
    assert np.abs(flow[far]).max() < 0.02
