import numpy as np
import pytest

from mer.face import crop_landmarks
from mer.features import MDMO_POINTS, mdmo, mdmo_regions


def test_36_symmetric_regions_surround_their_points():
    regions = mdmo_regions(56)
    assert len(MDMO_POINTS) == len(set(MDMO_POINTS)) == 36
    assert set(np.unique(regions)) == set(range(-1, 36))
    assert set(np.unique(mdmo_regions(28))) == set(range(-1, 36))
    for k, (x, y) in enumerate(crop_landmarks(56)[list(MDMO_POINTS), :2]):
        assert regions[round(y), round(x)] == k
    swap = np.array([*(np.arange(32) ^ 1), 32, 33, 34, 35, -1])
    assert (swap[regions[:, ::-1]] == regions).mean() > 0.97


def test_the_main_direction_is_the_most_frequent_one():
    rng = np.random.default_rng(0)
    flow = np.zeros((56, 56, 2))
    flow[..., 0] = np.where(rng.random((56, 56)) < 0.7, 1.0, 0)
    flow[..., 1] = np.where(flow[..., 0] > 0, 0, -20.0)  # three in ten move up, twenty times as far
    lengths, angles = mdmo(flow, beta=0.8).reshape(2, 36)
    np.testing.assert_allclose(lengths, 0.8)
    np.testing.assert_allclose(angles, 0, atol=1e-7)


def test_a_raised_mouth_corner_has_its_angle_and_the_largest_length():
    x, y = crop_landmarks(56)[61, :2]
    rows, columns = np.mgrid[:56, :56]
    flow = np.zeros((56, 56, 2))
    flow[..., 1] = -np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 8)
    lengths, angles = mdmo(flow, beta=0.5).reshape(2, 36)
    corner = MDMO_POINTS.index(61)
    assert lengths.argmax() == corner
    assert lengths[corner] == 0.5
    np.testing.assert_allclose(angles[corner], -0.5 * np.pi / 2)
    np.testing.assert_allclose(mdmo(3 * flow, beta=0.5).reshape(2, 36)[0], lengths, rtol=1e-5)


def test_zero_flow_gives_zeros_and_a_field_that_is_not_square_raises():
    assert not mdmo(np.zeros((28, 28, 2))).any()
    with pytest.raises(ValueError, match="square"):
        mdmo(np.zeros((28, 30, 2)))


@pytest.mark.parametrize("beta", [0.2, 0.8])
def test_angles_are_weighted_by_one_minus_beta(beta):
    flow = np.zeros((56, 56, 2))
    flow[..., 1] = 2.0  # downward, at an angle of pi / 2
    lengths, angles = mdmo(flow, beta=beta).reshape(2, 36)
    np.testing.assert_allclose(lengths, beta, rtol=1e-6)
    np.testing.assert_allclose(angles, (1 - beta) * np.pi / 2, rtol=1e-6)
