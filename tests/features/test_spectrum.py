import numpy as np
import pytest

from mer.features import dct

WAVE = np.cos(np.pi * 3 * (np.arange(28) + 0.5) / 28)  # the third frequency of 28 samples


def test_a_wave_is_one_coefficient():
    flow = np.zeros((28, 28, 2))
    flow[..., 1] = WAVE[:, None]  # v changes from top to bottom
    coefficients = dct(flow, center=False).reshape(8, 8, 2)
    assert np.unravel_index(np.abs(coefficients).argmax(), coefficients.shape) == (3, 0, 1)
    np.testing.assert_allclose(np.linalg.norm(coefficients), np.linalg.norm(flow), rtol=1e-5)  # orthonormal


def test_all_frequencies_keep_the_field_s_energy_and_centering_removes_a_shift():
    flow = np.random.default_rng(0).normal(size=(28, 28, 2))
    np.testing.assert_allclose(np.linalg.norm(dct(flow, keep=28, center=False)), np.linalg.norm(flow), rtol=1e-5)
    np.testing.assert_allclose(dct(flow + [3, -2]), dct(flow), atol=1e-3)


@pytest.mark.parametrize("keep", [0, 29])
def test_more_frequencies_than_there_are_is_an_error(keep):
    with pytest.raises(ValueError, match="frequencies"):
        dct(np.zeros((28, 28, 2)), keep=keep)
