import json

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment
from scipy.spatial import ConvexHull
from scipy.spatial.distance import cdist

from mer.face import REGIONS, canonical_landmarks
from mer.face.canonical import mirrored_landmarks
from mer.face.regions import INNER_EYE_CORNERS, MOUTH_CORNERS, OUTER_EYE_CORNERS, OVAL, STABLE

FACE = canonical_landmarks()


def mirror_pairs():
    return linear_sum_assignment(cdist(FACE, FACE * [-1, 1, 1]))[1]


def test_origin_unit_and_axes_of_the_mean_face():
    assert FACE.shape == (478, 3)
    assert FACE.dtype == np.float32
    right, left = FACE[list(OUTER_EYE_CORNERS)]
    np.testing.assert_allclose(right, [-0.5, 0, 0], atol=1e-6)
    np.testing.assert_allclose(left, [0.5, 0, 0], atol=1e-6)
    chin, top, tip = FACE[152], FACE[10], FACE[4]
    assert chin[1] > FACE[0, 1] > tip[1] > 0 > top[1]
    assert tip[2] == FACE[:, 2].min()  # the tip of the nose is nearest
    assert FACE[[234, 454], 2].min() > 0.4  # the ears are furthest
    # The face is frontal: the line from forehead to chin is vertical.
    assert abs(np.degrees(np.arctan2(chin[2] - top[2], chin[1] - top[1]))) < 10


def test_each_call_returns_a_new_array():
    canonical_landmarks()[:] = 0
    assert canonical_landmarks()[4, 2] < -0.3


def test_the_mean_face_is_symmetric():
    pairs = mirror_pairs()
    np.testing.assert_allclose(FACE[pairs] * [-1, 1, 1], FACE, atol=1e-6)
    assert pairs[33] == 263
    assert pairs[pairs].tolist() == list(range(478))


def test_left_and_right_regions_are_mirror_images_and_on_the_subjects_side():
    pairs = mirror_pairs()
    sides = [name[6:] for name in REGIONS if name.startswith("right_")]
    assert {"brow", "eye", "lids", "cheek", "iris"} == set(sides)
    for part in sides:
        right, left = REGIONS[f"right_{part}"], REGIONS[f"left_{part}"]
        assert pairs[list(right)].tolist() == list(left), part
        assert (FACE[list(right), 0] < 0).all(), part
    for name, points in REGIONS.items():
        assert len(set(points)) == len(points), name
        if not name.startswith(("left_", "right_")):
            assert set(pairs[list(points)]) == set(points), name
    for corners in (OUTER_EYE_CORNERS, INNER_EYE_CORNERS, MOUTH_CORNERS):
        assert pairs[corners[0]] == corners[1]
    assert set(pairs[list(STABLE)]) == set(STABLE)


def test_the_oval_is_a_closed_outline_of_the_face():
    polygon = FACE[list(OVAL), :2]
    angle = np.unwrap(np.arctan2(*(polygon - [0, 0.3]).T[::-1]))
    assert (np.diff(angle) > 0).all()
    assert ConvexHull(FACE[:, :2]).volume == pytest.approx(ConvexHull(polygon).volume, rel=1e-3)


def test_the_order_of_regions_from_top_to_bottom():
    order = ["forehead", "right_brow", "right_eye", "right_cheek", "mouth", "chin"]
    heights = [FACE[list(REGIONS[name]), 1].mean() for name in order]
    assert heights == sorted(heights)


@pytest.mark.assets
@pytest.mark.parametrize("folder", ["london_neutral", "canada"])
def test_the_mean_face_fits_other_people(assets, folder):
    """After a similarity in 3-D, the rms distance of real faces from the mean is a few percent of the eye distance."""
    table = json.loads((assets / "faces" / folder / "landmarks478.json").read_text())
    center = FACE - FACE.mean(0)
    for face in table.values():
        points = np.array(face["lm"]) - np.mean(face["lm"], axis=0)
        u, s, vt = np.linalg.svd(points.T @ center)
        aligned = points @ (u @ vt) * s.sum() / (points**2).sum()
        assert np.sqrt(((aligned - center) ** 2).mean()) < 0.06


def test_mirrored_landmarks_swap_left_and_right():
    swap = mirrored_landmarks()
    assert np.array_equal(swap[swap], np.arange(478))
    assert swap[33] == 263
