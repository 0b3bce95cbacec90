import numpy as np
import pytest

from mer.features import magnitude, strain, uv_strain

Y, X = np.mgrid[:20, :30].astype(float)


@pytest.mark.parametrize(
    ("u", "v", "expected"),
    [
        (np.full_like(X, 2), np.full_like(X, -1), 0),  # shift
        (-0.01 * Y, 0.01 * X, 0),  # small rotation
        (0.1 * X, 0 * X, 0.1),  # stretch
        (0.1 * X, 0.1 * Y, 0.1 * np.sqrt(2)),  # growth
        (0.1 * Y, 0 * X, 0.1 * np.sqrt(0.5)),  # shear: the cross term alone
    ],
)
def test_strain_of_linear_motion(u, v, expected):
    np.testing.assert_allclose(strain(np.dstack([u, v])), expected, atol=1e-12)


def test_strain_is_dimensionless_given_the_spacing():
    flow = np.dstack([0.1 * X, 0.05 * Y])
    np.testing.assert_allclose(strain(flow / 80, spacing=1 / 80), strain(flow))


def test_strain_works_on_stacks():
    flows = np.random.default_rng(0).normal(size=(3, 6, 7, 2))
    np.testing.assert_array_equal(strain(flows), np.stack([strain(flow) for flow in flows]))
    assert magnitude(flows).shape == (3, 6, 7)


def test_strain_needs_two_pixels():
    with pytest.raises(ValueError, match="2 x 2"):
        strain(np.zeros((1, 5, 2)))


def test_uv_strain_stacks_u_v_and_strain_at_the_requested_size():
    flow = np.dstack([0.1 * X, 0 * X])[:, :20]
    image = uv_strain(flow, 10)
    assert image.shape == (10, 10, 3)
    np.testing.assert_allclose(image[0, :, 0], 0.1 * (np.arange(10) * 2 + 0.5), rtol=1e-5)
    np.testing.assert_allclose(image[..., 1], 0, atol=1e-7)
    np.testing.assert_allclose(image[..., 2], 0.1, rtol=1e-5)
