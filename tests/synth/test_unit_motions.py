import numpy as np
import pytest

from mer.face import crop_landmarks
from mer.synth.blendshapes import shape_offsets
from mer.synth.drawn_motions import drawn_motions
from mer.synth.expressions import CLASS_PATTERNS
from mer.synth.unit_motions import (
    UNITS,
    UnitMotions,
    blended_motions,
    draw_intensities,
    expression_flow,
    face_motions,
    head_flow,
)


@pytest.fixture(scope="module", params=["drawn", "makehuman"])
def person(request) -> UnitMotions:
    rng = np.random.default_rng(0)
    if request.param == "drawn":
        return drawn_motions(rng, variety=0)
    pytest.importorskip("numba")
    return face_motions(request.getfixturevalue("makehuman"), rng, variety=0)


def unit_flow(person: UnitMotions, *units: str) -> np.ndarray:
    intensities = np.zeros(len(UNITS))
    intensities[[UNITS.index(unit) for unit in units]] = 1
    return expression_flow(person, intensities)


def around(field: np.ndarray, landmark: int) -> np.ndarray:
    x, y = np.round(crop_landmarks(len(field))[landmark, :2]).astype(int)
    return field[y - 2 : y + 3, x - 2 : x + 3].mean((0, 1))


def test_units_move_the_named_part_of_the_face(person):
    smile, raised, lowered = unit_flow(person, "L12", "R12"), unit_flow(person, "L2", "R2"), unit_flow(person, "L4")
    left, right = around(smile, 291), around(smile, 61)
    assert left[0] > 0.01  # the subject's left corner goes to the image's right, and up
    assert right[0] < -0.01
    assert left[1] < -0.01
    assert around(raised, 105)[1] < -0.005
    assert around(lowered, 336)[1] > 0.005
    assert np.abs(around(lowered, 107)).max() < np.abs(around(lowered, 336)).max() / 2  # the other side stays
    assert np.abs(around(smile, 105)).max() < 0.005


def test_flow_is_the_sum_of_its_units(person):
    both = unit_flow(person, "L12", "R4")
    np.testing.assert_allclose(both, unit_flow(person, "L12") + unit_flow(person, "R4"), atol=1e-6)


def test_a_batch_of_clips_equals_single_clips(person):
    rng = np.random.default_rng(1)
    intensities = np.stack([draw_intensities(label, rng, 0.5) for label in CLASS_PATTERNS])
    flows = expression_flow(person, intensities)
    assert flows.shape == (3, 56, 56, 2)
    np.testing.assert_allclose(flows[1], expression_flow(person, intensities[1]), atol=1e-6)


def test_flow_of_a_head_motion(person):
    np.testing.assert_allclose(head_flow(person, [0.1, -0.2, 0, 0, 0, 0]), np.broadcast_to([0.1, -0.2], (56, 56, 2)))
    growth = head_flow(person, [0, 0, 0.01, 0, 0, 0])
    assert growth[28, -1, 0] > 0 > growth[28, 0, 0]
    turn = head_flow(person, [0, 0, 0, 0, 0.1, 0])  # the nose is nearer than the sides
    nose, side = around(turn, 4), around(turn, 234)
    assert nose[0] < side[0]


def test_the_field_at_a_landmark_is_the_landmarks_motion(makehuman):
    person = face_motions(makehuman, np.random.default_rng(0), size=112, variety=0)
    marks = makehuman.landmarks(makehuman.vertices)
    moved = makehuman.landmarks(makehuman.vertices + shape_offsets(makehuman, "mouthSmileLeft"))
    unit = np.linalg.norm(marks[263] - marks[33])
    origin = marks[[33, 263]].mean(0)
    scale = 0.42 * 112
    field = unit_flow(person, "L12")
    for landmark in (291, 425, 280):
        x, y = np.round((marks[landmark] - origin)[:2] / unit * scale + 55.5 - scale * np.array([0, 0.33])).astype(int)
        expected = (moved - marks)[landmark, :2] / unit
        np.testing.assert_allclose(field[y, x], expected, atol=0.25 * np.linalg.norm(expected) + 1e-4)


def test_a_mixture_lies_between_its_parts():
    rng = np.random.default_rng(0)
    parts = [drawn_motions(rng), drawn_motions(rng)]
    mixed = blended_motions(parts, rng).fields
    low, high = np.minimum(*(p.fields for p in parts)), np.maximum(*(p.fields for p in parts))
    assert ((mixed >= low - 1e-6) & (mixed <= high + 1e-6)).all()


def test_intensities_stay_in_range():
    rng = np.random.default_rng(0)
    drawn = np.stack([draw_intensities("positive", rng, 3.0) for _ in range(50)])
    assert drawn.min() >= 0
    assert drawn.max() <= 1
    smiles = drawn[:, [UNITS.index("L12"), UNITS.index("R12")]].any(1).mean()
    assert smiles > 0.8
