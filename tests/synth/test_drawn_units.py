from __future__ import annotations

import numpy as np

from mer.face.canonical import canonical_landmarks, mirrored_landmarks
from mer.synth.blendshapes import UNIT_SHAPES
from mer.synth.drawn_units import FLOW_UNITS, VIDEO_UNITS


def test_both_tables_use_known_units():
    assert set(FLOW_UNITS) == set(UNIT_SHAPES)
    assert set(VIDEO_UNITS) <= set(FLOW_UNITS)


def test_landmarks_have_mirror_images():
    mirror = mirrored_landmarks()
    assert (mirror[61], mirror[107], mirror[199]) == (291, 336, 199)
    np.testing.assert_array_equal(mirror[mirror], np.arange(478))
    points = canonical_landmarks()
    np.testing.assert_allclose(points[mirror] * [-1, 1, 1], points, atol=0.01)


def test_bumps_start_on_the_subjects_right():
    x = canonical_landmarks()[:, 0]
    for unit, bumps in VIDEO_UNITS.items():
        assert all(x[bump.landmark] < 0.01 for bump in bumps), unit
