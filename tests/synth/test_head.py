from __future__ import annotations

import numpy as np

from mer.synth.head import EYE, MOUTH, SHEET, SKIN


def test_one_side_moves_alone(head):
    left = head.offsets("mouthSmileLeft")[head.part == SKIN]
    x = head.vertices[head.part == SKIN, 0] - head.landmarks[4, 0]
    assert np.abs(left[x > 0.2]).max() > 8 * np.abs(left[x < -0.2]).max()  # the subject's left is on the right


def test_the_parts_are_one_mesh(head):
    assert set(head.part) == {SKIN, EYE, MOUTH, SHEET}
    assert (head.part[: len(head.skin_ids)] == SKIN).all()
    assert head.triangles.max() == len(head.vertices) - 1
    assert (np.ptp(head.part[head.triangles], axis=1) == 0).all()  # no triangle connects two parts


def test_the_lower_teeth_follow_the_jaw(head):
    drop = head.offsets("jawOpen")[head.part == MOUTH, 1]
    upper, lower = drop[:52], drop[52:104]
    assert np.abs(upper).max() == 0
    assert lower.min() > 0.1


def test_a_gaze_moves_the_eyes_alone(head):
    moved = head.expressed({}, np.array([0.2, 0.0])) - head.expressed({})
    assert moved[head.part == EYE, 0].min() > 0.01
    assert np.abs(moved[head.part != EYE]).max() == 0


def test_normals_face_the_camera(head):
    normals = head.normals(head.vertices)
    np.testing.assert_allclose(np.linalg.norm(normals[head.part == SKIN], axis=1), 1, atol=1e-9)
    assert (normals[head.part == SKIN, 2] < 0).mean() > 0.95
