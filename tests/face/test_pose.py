import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mer.face import canonical_landmarks
from mer.face.pose import fit_pose, similarities
from mer.face.regions import STABLE

POINTS = canonical_landmarks()[list(STABLE)].astype(np.float64)


def placed(yaw=0.0, pitch=0.0, roll=0.0, scale=80.0, translation=(300.0, 200.0, 5.0)):
    rotation = Rotation.from_euler("zxy", [roll, pitch, yaw], degrees=True).as_matrix()
    return scale * POINTS @ rotation.T + translation, scale, rotation, np.array(translation)


@pytest.mark.parametrize("angles", [(0, 0, 0), (25, 0, 0), (0, -20, 0), (0, 0, 100), (-30, 15, -170)])
def test_an_exact_similarity_is_recovered(angles):
    points, scale, rotation, translation = placed(*angles)
    for fitted in (fit_pose(points, POINTS), similarities(POINTS, points, np.ones(len(POINTS)))):
        assert fitted[0] == pytest.approx(scale)
        np.testing.assert_allclose(fitted[1], rotation, atol=1e-9)
        np.testing.assert_allclose(fitted[2], translation, atol=1e-6)


def test_batches_and_weights():
    points, *truth = placed(10, 5, 20)
    disturbed = points.copy()
    disturbed[3] += 50
    weight = np.ones((2, len(POINTS)))
    weight[1, 3] = 0
    scale, rotation, _ = similarities(np.stack([POINTS] * 2), np.stack([disturbed] * 2), weight)
    assert abs(scale[0] - truth[0]) > 0.5
    assert scale[1] == pytest.approx(truth[0])
    np.testing.assert_allclose(rotation[1], truth[1], atol=1e-9)


def test_the_fit_is_never_a_reflection():
    mirrored = POINTS * [-80, 80, 80]
    assert np.linalg.det(fit_pose(mirrored, POINTS)[1]) == pytest.approx(1)


@pytest.mark.parametrize("distance", [30, 300, 1e5])
@pytest.mark.parametrize("bad", range(0, len(STABLE), 3))
def test_an_outlier_hardly_changes_the_fit(bad, distance):
    rng = np.random.default_rng(bad)
    points, scale, rotation, _ = placed(10, -5, 15)
    points += rng.normal(0, 0.8, points.shape)  # 1 % of the interocular distance
    clean = fit_pose(points, POINTS)
    points[bad] += distance * np.array([0.8, -0.6, 0.0])
    fitted = fit_pose(points, POINTS)
    assert fitted[0] == pytest.approx(scale, rel=0.03)
    moved = (fitted[0] * POINTS @ fitted[1].T + fitted[2]) - (clean[0] * POINTS @ clean[1].T + clean[2])
    assert np.abs(moved).max() < 2.5  # pixels; the effect of losing one of twelve points
    assert np.degrees(np.arccos((np.trace(fitted[1].T @ rotation) - 1) / 2)) < 5
