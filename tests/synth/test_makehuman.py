from __future__ import annotations

import numpy as np
import pytest

from mer.synth.makehuman import load_makehuman


def test_landmarks_are_in_their_places(makehuman):
    points = makehuman.all_landmarks(makehuman.vertices)
    assert makehuman.has_landmark.sum() == 468
    assert points[4, 2] == points[makehuman.has_landmark, 2].min()  # the tip of the nose is nearest
    assert points[10, 1] < points[9, 1] < points[1, 1] < points[13, 1] < points[152, 1]  # brow to chin
    assert points[33, 0] < points[133, 0] < points[362, 0] < points[263, 0]  # the subject's right eye is on the left
    interocular = points[263, 0] - points[33, 0]
    assert abs(points[33, 1] - points[263, 1]) < 0.02 * interocular  # symmetric


def test_the_model_has_identity_modes_and_expressions(makehuman):
    assert len(makehuman.identity) > 50
    assert len(makehuman.expressions) == 52


@pytest.mark.assets
def test_file_and_package_hold_the_same_face(assets, makehuman):
    other = load_makehuman(assets / "models" / "makehuman_head_faceunits.npz")
    assert set(other.expressions) == set(makehuman.expressions)
    points = [m.landmarks(m.vertices + m.expressions["jawOpen"]) for m in (other, makehuman)]
    np.testing.assert_allclose(*points, atol=2e-3)
