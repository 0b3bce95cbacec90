import numpy as np
import pytest

from mer.features import block_hoof, grid_windows, hoof

WHOLE = np.ones((1, 6, 6), np.float32)


@pytest.mark.parametrize(
    ("vector", "bin_"), [((1, 0), 0), ((1, 1), 1), ((0, 1), 2), ((-1, 0), 4), ((0, -1), 6), ((1, -1), 7)]
)
def test_a_direction_falls_into_its_bin(vector, bin_):
    flow = np.tile(np.array(vector, float), (6, 6, 1))
    histogram = hoof(flow, WHOLE, bins=8, center=False)
    assert histogram.argmax() == bin_
    np.testing.assert_allclose(histogram.sum(), 36 * np.hypot(*vector), rtol=1e-6)
    np.testing.assert_allclose(histogram[bin_], histogram.sum(), rtol=1e-5)


def test_a_direction_between_two_bins_is_split():
    angle = np.pi / 8
    flow = np.tile([np.cos(angle), np.sin(angle)], (6, 6, 1))
    np.testing.assert_allclose(hoof(flow, WHOLE, bins=8, center=False)[:2], [18, 18], rtol=1e-5)


def test_rotating_the_flow_rotates_the_histogram():
    flow = np.random.default_rng(0).normal(size=(6, 6, 2))
    turned = np.stack([-flow[..., 1], flow[..., 0]], -1)  # by 90 degrees, two of eight bins
    np.testing.assert_allclose(
        hoof(turned, WHOLE, 8, center=False), np.roll(hoof(flow, WHOLE, 8, center=False), 2), rtol=1e-4
    )


def test_centering_removes_a_constant_offset():
    flow = np.random.default_rng(0).normal(size=(6, 6, 2))
    np.testing.assert_allclose(hoof(flow + [5, -3], WHOLE), hoof(flow, WHOLE), rtol=1e-4)
    assert not np.allclose(hoof(flow + [5, -3], WHOLE, center=False), hoof(flow, WHOLE, center=False))


@pytest.mark.parametrize(("size", "blocks"), [(28, 7), (28, 5), (10, 1)])
def test_grid_windows_sum_to_one_at_every_pixel(size, blocks):
    windows = grid_windows(size, blocks)
    assert windows.shape == (blocks**2, size, size)
    np.testing.assert_allclose(windows.sum(0), 1, rtol=1e-5)


def test_motion_in_a_corner_affects_only_that_corner():
    flow = np.zeros((28, 28, 2))
    flow[:4, :4] = [0, -1]
    histograms = block_hoof(flow).reshape(7, 7, 8)
    assert np.unravel_index(histograms.argmax(), histograms.shape) == (0, 0, 6)  # the first window, upward
    assert not histograms[2:].any()
    assert not histograms[:, 2:].any()


def test_zero_flow_gives_zeros():
    assert not block_hoof(np.zeros((40, 40, 2))).any()


def test_windows_and_flow_must_agree_in_size():
    with pytest.raises(ValueError, match="windows"):
        hoof(np.zeros((5, 5, 2)), WHOLE)


def test_block_histograms_grow_with_the_square_root_of_the_motion():
    flow = np.random.default_rng(0).normal(size=(28, 28, 2))
    np.testing.assert_allclose(block_hoof(flow) ** 2, hoof(flow, grid_windows(28, 7)), rtol=1e-5)
    np.testing.assert_allclose(block_hoof(9 * flow), 3 * block_hoof(flow), rtol=1e-4)
