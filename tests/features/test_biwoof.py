import numpy as np
import pytest

from mer.features import biwoof


def test_the_strained_block_and_its_direction_dominate():
    flow = np.zeros((50, 50, 2))
    flow[20:30, 20:30, 1] = -np.hanning(10)[:, None] * np.hanning(10)  # upward, in the middle block
    histogram = biwoof(flow).reshape(5, 5, 8)
    assert np.unravel_index(histogram.argmax(), histogram.shape) == (2, 2, 2)  # -90 degrees, counted from -180
    np.testing.assert_allclose(np.linalg.norm(histogram), 1, rtol=1e-6)


def test_biwoof_is_invariant_to_scale():
    flow = np.random.default_rng(0).normal(size=(30, 40, 2))
    assert biwoof(flow).shape == (200,)
    np.testing.assert_allclose(biwoof(7 * flow), biwoof(flow), rtol=1e-5)


def test_blocks_are_weighted_by_strain_not_by_magnitude():
    flow = np.zeros((50, 50, 2))
    flow[:25, :, 0] = 5.0  # moves far, as a whole
    flow[40:, 40:] = np.random.default_rng(0).normal(0, 0.5, (10, 10, 2))
    histogram = biwoof(flow).reshape(25, 8).sum(1)
    assert histogram[0] == 0
    assert histogram[24] > 0


def test_zero_flow_gives_zeros_and_too_few_pixels_raise():
    assert not biwoof(np.full((10, 10, 2), 0.5)).any()
    with pytest.raises(ValueError, match="blocks"):
        biwoof(np.zeros((4, 4, 2)))
