from __future__ import annotations

import numpy as np
import pytest

from mer.synth.blendshapes import UNIT_SHAPES, has_sides, parse_unit, shape_offsets, shape_weights
from mer.synth.face_model import FaceModelError


def unit_offsets(model, unit: str) -> np.ndarray:
    return sum(w * shape_offsets(model, s) for s, w in shape_weights({unit: 1.0}, model.name).items())


@pytest.mark.parametrize("unit", list(UNIT_SHAPES))
def test_every_unit_moves_the_face(makehuman, unit):
    interocular = np.ptp(makehuman.landmarks(makehuman.vertices)[:, 0])
    assert 0.005 < np.abs(unit_offsets(makehuman, unit)).max() / interocular < 0.5


@pytest.mark.parametrize(
    ("unit", "landmark", "axis", "sign"),
    [("1", 107, 1, -1), ("2", 105, 1, -1), ("4", 107, 1, 1), ("12", 61, 1, -1), ("15", 61, 1, 1), ("26", 152, 1, 1),
     ("45", 159, 1, 1), ("20", 61, 0, -1), ("5", 159, 1, -1), ("9", 48, 1, -1), ("17", 17, 1, -1)],
)  # fmt: skip
def test_units_move_the_skin_as_facs_describes(makehuman, unit, landmark, axis, sign):
    corners, weights = makehuman.landmark_vertices[landmark], makehuman.landmark_weights[landmark]
    assert sign * (weights @ unit_offsets(makehuman, unit)[corners])[axis] > 0.002


def test_a_unit_is_the_sum_of_its_sides(makehuman):
    assert parse_unit("L12") == ("12", "L")
    left, right, both = (unit_offsets(makehuman, unit) for unit in ("L1", "R1", "1"))
    np.testing.assert_allclose(left + right, both, atol=1e-9)  # MakeHuman has one shape for both inner brows
    strength = np.linalg.norm(left, axis=1)
    assert (strength @ makehuman.vertices[:, 0]) / strength.sum() > 0.05


def test_unknown_units_and_shapes_are_reported(makehuman):
    assert has_sides("12")
    assert not has_sides("26")
    with pytest.raises(ValueError, match="unknown action unit '99'"):
        parse_unit("99")
    with pytest.raises(ValueError, match="has no sides"):
        parse_unit("L26")
    with pytest.raises(FaceModelError, match="has no shape 'earWiggle'"):
        shape_offsets(makehuman, "earWiggle")
