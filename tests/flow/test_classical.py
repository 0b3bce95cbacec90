"""OpenCV methods estimate known motion under changes of lighting and depend only on their two frames."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from scipy.ndimage import fourier_shift, gaussian_filter

from mer.flow import classical
from mer.flow.classical import dis, farneback, normalize_light, tvl1

METHODS = pytest.mark.parametrize(("method", "tolerance"), [(dis, 0.03), (tvl1, 0.06), (farneback, 0.06)])


@pytest.fixture(scope="module")
def texture() -> np.ndarray:
    """Periodic colored noise, which can be shifted exactly by fractions of a pixel."""
    noise = np.random.default_rng(0).normal(size=(160, 160, 3))
    smooth = gaussian_filter(noise, (2, 2, 0), mode="wrap") + 3 * gaussian_filter(noise, (8, 8, 0), mode="wrap")
    return 128 + 45 * smooth / smooth.std()


def shifted(texture: np.ndarray, x: float, y: float) -> np.ndarray:
    """The middle of the texture after it moved by `(x, y)` pixels."""
    moved = np.fft.ifftn(fourier_shift(np.fft.fftn(texture), (y, x, 0))).real
    return np.clip(np.rint(moved[16:-16, 16:-16]), 0, 255).astype(np.uint8)


@METHODS
@pytest.mark.parametrize("motion", [(0.0, 0.0), (0.1, -0.25), (0.5, 0.0), (-2.0, 1.3), (3.0, 4.0)])
def test_known_translations_are_estimated(texture, method, tolerance, motion):
    flow = method(shifted(texture, 0, 0), shifted(texture, *motion))
    assert flow.shape == (128, 128, 2)
    assert flow.dtype == np.float32
    assert np.linalg.norm((flow - motion)[12:-12, 12:-12], axis=2).mean() < tolerance


def test_dis_estimates_large_motions(texture):
    flow = dis(shifted(texture, 0, 0), shifted(texture, -7, 9))
    assert np.median(np.linalg.norm(flow - (-7, 9), axis=2)) < 0.05


@METHODS
def test_a_change_of_lighting_is_not_motion(texture, method, tolerance):
    onset, apex = shifted(texture, 0, 0), shifted(texture, 0.5, 0.25)
    slope = np.linspace(0.96, 1.06, 128)[:, None]
    lit = np.clip(np.rint(apex * slope + 3), 0, 255).astype(np.uint8)
    flow = method(onset, lit)
    assert np.linalg.norm((flow - (0.5, 0.25))[12:-12, 12:-12], axis=2).mean() < 1.5 * tolerance


@METHODS
def test_gray_frames_are_accepted(texture, method, tolerance):
    onset, apex = (cv2.cvtColor(shifted(texture, x, 0), cv2.COLOR_RGB2GRAY) for x in (0, 1))
    assert abs(np.median(method(onset, apex)[..., 0]) - 1) < tolerance


@METHODS
def test_results_depend_only_on_the_frames(texture, method, tolerance):
    """Results are identical after other pairs and in several threads; the frames are not modified."""
    pairs = [(shifted(texture, 0, 0), shifted(texture, x, 0.3)) for x in (0.2, 1.0, 3.0)]
    copies = [(a.copy(), b.copy()) for a, b in pairs]
    first = [method(*pair) for pair in pairs]
    with ThreadPoolExecutor(3) as pool:
        again = list(pool.map(lambda pair: method(*pair), pairs[::-1]))
    for k, flow in enumerate(again):
        assert np.array_equal(flow, first[::-1][k])
    for pair, copy in zip(pairs, copies):
        assert np.array_equal(pair, copy)


def test_equal_frames_give_zero_flow(texture):
    onset = shifted(texture, 0, 0)
    assert abs(dis(onset, onset)).max() < 1e-3
    assert abs(tvl1(onset, onset)).max() < 1e-3


def test_flat_frames_give_zero_flow():
    flat = np.full((64, 64, 3), 90, np.uint8)
    for method in (dis, tvl1, farneback):
        assert abs(method(flat, flat)).max() < 1e-3


def test_normalize_light_removes_gain_and_offset(texture):
    image = shifted(texture, 0, 0)
    dimmed = np.rint(image * 0.9 + 12).astype(np.uint8)
    plain, other = normalize_light(image), normalize_light(dimmed)
    assert plain.dtype == np.float32
    assert plain.min() >= 0
    assert plain.max() <= 255
    assert abs(plain - other).mean() < 1.5


def test_opencv_without_tvl1_raises_with_a_remedy(monkeypatch):
    monkeypatch.delattr(classical.cv2, "optflow")
    image = np.zeros((64, 64, 3), np.uint8)
    with pytest.raises(ImportError, match="opencv-contrib-python"):
        tvl1(image, image)
