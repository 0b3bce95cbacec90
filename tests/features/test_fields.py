import numpy as np
import pytest

from mer.features import as_fields, dct, resize


def test_rows_and_fields_are_the_same_thing():
    fields = np.random.default_rng(0).normal(size=(3, 5, 5, 2)).astype(np.float32)
    np.testing.assert_array_equal(as_fields(fields.reshape(3, -1)), fields)
    np.testing.assert_array_equal(as_fields(fields), fields)


@pytest.mark.parametrize("shape", [(3, 51), (3, 5, 5, 3), (5, 5, 2), (50,)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ValueError, match="flow fields"):
        as_fields(np.zeros(shape))


def test_values_that_are_not_finite_are_counted():
    fields = np.zeros((2, 4, 4, 2))
    fields[0, 0, 0] = np.nan
    with pytest.raises(ValueError, match="2 values"):
        as_fields(fields)


@pytest.mark.parametrize("size", [28, 50, 100])
def test_resize_keeps_the_mean_over_the_area(size):
    field = np.random.default_rng(0).normal(size=(100, 100, 2)).astype(np.float32) + 3
    np.testing.assert_allclose(resize(field, size).mean((0, 1)), field.mean((0, 1)), rtol=1e-4)


def test_resize_does_not_alias():
    stripes = np.where(np.arange(96) % 2, 1.0, -1.0)[None, :, None] * np.ones((96, 1, 2))
    assert np.abs(resize(stripes, 24)).max() < 1e-6  # one sample of every fourth pixel would give 1


def test_resize_keeps_values_when_it_grows_and_one_channel():
    assert resize(np.full((4, 4, 1), 2.5), 9).shape == (9, 9, 1)
    np.testing.assert_allclose(resize(np.full((4, 4, 1), 2.5), 9), 2.5)


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
