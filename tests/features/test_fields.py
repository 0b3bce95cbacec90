import numpy as np
import pytest

from mer.features import as_fields, dct, mirror, resize


def test_as_fields_reshapes_flattened_rows():
    fields = np.random.default_rng(0).normal(size=(3, 5, 5, 2)).astype(np.float32)
    np.testing.assert_array_equal(as_fields(fields.reshape(3, -1)), fields)
    np.testing.assert_array_equal(as_fields(fields), fields)


@pytest.mark.parametrize("shape", [(3, 51), (3, 5, 5, 3), (5, 5, 2), (50,)])
def test_as_fields_rejects_other_shapes(shape):
    with pytest.raises(ValueError, match="flow fields"):
        as_fields(np.zeros(shape))


def test_as_fields_counts_values_that_are_not_finite():
    fields = np.zeros((2, 4, 4, 2))
    fields[0, 0, 0] = np.nan
    with pytest.raises(ValueError, match="2 values"):
        as_fields(fields)


@pytest.mark.parametrize("size", [28, 50, 100])
def test_shrinking_preserves_the_mean(size):
    field = np.random.default_rng(0).normal(size=(100, 100, 2)).astype(np.float32) + 3
    np.testing.assert_allclose(resize(field, size).mean((0, 1)), field.mean((0, 1)), rtol=1e-4)


def test_resize_does_not_alias():
    stripes = np.where(np.arange(96) % 2, 1.0, -1.0)[None, :, None] * np.ones((96, 1, 2))
    assert np.abs(resize(stripes, 24)).max() < 1e-6  # one sample of every fourth pixel would give 1


def test_enlarging_keeps_constant_values_and_a_single_channel():
    assert resize(np.full((4, 4, 1), 2.5), 9).shape == (9, 9, 1)
    np.testing.assert_allclose(resize(np.full((4, 4, 1), 2.5), 9), 2.5)


def test_mirror_swaps_left_and_right_and_negates_u():
    field = np.random.default_rng(0).normal(size=(3, 4, 5, 2)).astype(np.float32)
    mirrored = mirror(field)
    np.testing.assert_array_equal(mirrored[..., 0], -field[:, :, ::-1, 0])
    np.testing.assert_array_equal(mirrored[..., 1], field[:, :, ::-1, 1])
    np.testing.assert_array_equal(mirror(mirrored), field)


def test_mirror_of_a_tensor_has_channels_first():
    torch = pytest.importorskip("torch")
    field = np.random.default_rng(0).normal(size=(3, 4, 5, 3)).astype(np.float32)  # u, v, strain
    mirrored = mirror(torch.from_numpy(field.transpose(0, 3, 1, 2)))
    np.testing.assert_array_equal(mirrored.numpy().transpose(0, 2, 3, 1), mirror(field))


WAVE = np.cos(np.pi * 3 * (np.arange(28) + 0.5) / 28)  # the third frequency of 28 samples


def test_a_cosine_wave_has_a_single_dct_coefficient():
    flow = np.zeros((28, 28, 2))
    flow[..., 1] = WAVE[:, None]  # v changes from top to bottom
    coefficients = dct(flow, center=False).reshape(8, 8, 2)
    assert np.unravel_index(np.abs(coefficients).argmax(), coefficients.shape) == (3, 0, 1)
    np.testing.assert_allclose(np.linalg.norm(coefficients), np.linalg.norm(flow), rtol=1e-5)  # orthonormal


def test_dct_preserves_energy_and_centering_removes_a_constant_offset():
    flow = np.random.default_rng(0).normal(size=(28, 28, 2))
    np.testing.assert_allclose(np.linalg.norm(dct(flow, keep=28, center=False)), np.linalg.norm(flow), rtol=1e-5)
    np.testing.assert_allclose(dct(flow + [3, -2]), dct(flow), atol=1e-3)


@pytest.mark.parametrize("keep", [0, 29])
def test_dct_rejects_an_impossible_number_of_frequencies(keep):
    with pytest.raises(ValueError, match="frequencies"):
        dct(np.zeros((28, 28, 2)), keep=keep)
