import numpy as np
import pytest

from mer.face import crop_landmarks
from mer.features import FACE_REGIONS, REGION_STATISTICS, hoof, region_statistics, region_windows


def test_region_windows_follow_the_anatomy():
    windows = dict(zip(FACE_REGIONS, region_windows(56)))
    y, x = np.mgrid[:56, :56]
    center = {name: ((x * w).sum() / w.sum(), (y * w).sum() / w.sum()) for name, w in windows.items()}
    assert center["forehead"][1] < center["right_brow"][1] < center["nose"][1] < center["mouth"][1] < center["chin"][1]
    assert center["right_cheek"][0] < center["mouth"][0] < center["left_cheek"][0]  # the subject's right, image left


def test_region_windows_are_pixel_shares_at_any_size():
    for size in (28, 224, 300):
        windows = region_windows(size)
        assert windows.shape == (len(FACE_REGIONS), size, size)
        assert windows.min() >= 0
        assert windows.max() <= 1
    np.testing.assert_allclose(region_windows(28).mean((1, 2)), region_windows(224).mean((1, 2)), rtol=1e-4)


def test_a_raised_mouth_corner_affects_the_mouth_but_not_the_brows():
    x, y = crop_landmarks(56)[61, :2]
    rows, columns = np.mgrid[:56, :56]
    flow = np.zeros((56, 56, 2))
    flow[..., 1] = -np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 8)
    histograms = dict(zip(FACE_REGIONS, hoof(flow, region_windows(56)).reshape(-1, 8)))
    assert histograms["mouth"].argmax() == 6  # up
    assert histograms["mouth"].max() > 0.1
    assert histograms["left_brow"].max() < 1e-6


def test_statistics_of_linear_motion():
    y, x = np.mgrid[:20, :20].astype(float)
    flow = np.dstack([0.1 * x - 0.02 * y, 0.02 * x + 0.1 * y])  # grows and turns
    values = dict(zip(REGION_STATISTICS, region_statistics(flow, np.ones((1, 20, 20)), center=False)))
    np.testing.assert_allclose(values["u"], 0.08 * 9.5, rtol=1e-5)
    np.testing.assert_allclose(values["divergence"], 0.2, rtol=1e-5)
    np.testing.assert_allclose(values["rotation"], 0.04, rtol=1e-5)
    np.testing.assert_allclose(values["strain"], 0.1 * np.sqrt(2), rtol=1e-5)


def test_region_statistics_remove_a_constant_offset_and_check_the_window_size():
    flow = np.random.default_rng(0).normal(size=(28, 28, 2))
    windows = region_windows(28)
    assert region_statistics(flow, windows).shape == (len(FACE_REGIONS) * len(REGION_STATISTICS),)
    np.testing.assert_allclose(region_statistics(flow + [4, 1], windows), region_statistics(flow, windows), atol=1e-5)
    assert not region_statistics(flow, np.zeros((1, 28, 28))).any()
    with pytest.raises(ValueError, match="windows"):
        region_statistics(flow, region_windows(56))
