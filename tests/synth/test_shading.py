from __future__ import annotations

import numpy as np
import pytest

from mer.synth.raster import visible_triangles
from mer.synth.shading import opaque_pixels, sample_texture, shade_pixels


@pytest.fixture
def texture() -> np.ndarray:
    """Channels that are linear in x and y."""
    y, x = np.mgrid[:12, :15].astype(float)
    return np.dstack([2 * x + 3 * y, 100 - x, y, 200 + x]).astype(np.float32)


def sample(texture: np.ndarray, x: float, y: float) -> np.ndarray:
    color, wx, wy = (np.zeros(4, np.float32) for _ in range(3))
    sample_texture(texture, x, y, wx, wy, color)
    return color


def test_sampling_is_exact_on_the_grid_and_linear_between(texture):
    for y in range(12):
        for x in range(15):
            np.testing.assert_allclose(sample(texture, x, y), texture[y, x], atol=1e-4)
    for y in range(3, 8):
        for x in range(3, 11):
            expected = texture[y, x] + [0.6 + 0.411, -0.3, 0.137, 0.3]
            np.testing.assert_allclose(sample(texture, x + 0.3, y + 0.137), expected, atol=1e-4)


def square(size: float) -> tuple[np.ndarray, np.ndarray]:
    """A square of two triangles from (0, 0), at depth 1."""
    points = np.array([[0, 0, 1.0], [size, 0, 1.0], [0, size, 1.0], [size, size, 1.0]])
    return points, np.array([[0, 1, 2], [1, 3, 2]], np.int32)


def test_pixels_blend_texture_light_and_background():
    points, triangles = square(20)
    index = visible_triangles(points, triangles, 32, 32)
    texture = np.full((4, 4, 4), 100, np.float32)
    texture[..., 3] = 255
    uv_light = np.array([[1, 1, 0.5]] * 4)
    background = np.full((16, 16, 3), 40, np.uint8)
    picture = shade_pixels(points, triangles, index, uv_light, texture, background)
    np.testing.assert_allclose(picture[3, 3], 50, atol=1e-4)
    np.testing.assert_allclose(picture[15, 15], 40)
    np.testing.assert_allclose(picture[3, 10], (50 + 40) / 2, atol=1e-4)  # half of the rays hit the square


def test_transparent_texture_is_not_opaque():
    points, triangles = square(12)
    index = visible_triangles(points, triangles, 16, 16)
    texture = np.zeros((16, 16, 4), np.float32)
    texture[:, 8:, 3] = 255
    opaque = opaque_pixels(points, triangles, index, points[:, :2].copy(), texture)
    assert opaque[3, 9:12].all()
    assert not opaque[3, :7].any()
    assert not opaque[15].any()
