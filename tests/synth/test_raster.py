from __future__ import annotations

import numpy as np

from mer.synth.fit import Camera
from mer.synth.raster import cover, displace, interpolate, rasterize, sample


def random_triangles(count: int = 60) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    middle = rng.uniform([-2, -2, 8], [2, 2, 12], (count, 1, 3))
    return (middle + rng.normal(0, 0.5, (count, 3, 3))).reshape(-1, 3), np.arange(3 * count).reshape(-1, 3).astype(
        np.int32
    )


def test_the_nearest_triangle_is_found_as_a_ray_finds_it():
    vertices, triangles = random_triangles()
    camera, size = Camera(120.0, (31.5, 31.5)), 64
    index, weights = rasterize(camera.project(vertices), triangles, size, size)
    np.testing.assert_array_equal(index, cover(camera.project(vertices), triangles, size, size))
    points = interpolate(vertices, triangles, index, weights)
    for y, x in [(y, x) for y in range(0, size, 7) for x in range(0, size, 7)]:
        ray = np.array([(x - 31.5) / 120, (y - 31.5) / 120, 1.0])
        best, depth = -1, np.inf
        for t, (a, b, c) in enumerate(vertices[triangles]):  # Möller and Trumbore's way
            matrix = np.column_stack([b - a, c - a, -ray])
            u, v, along = np.linalg.solve(matrix, -a)
            if u >= 0 and v >= 0 and u + v <= 1 and 0 < along < depth:
                best, depth = t, along
        assert index[y, x] == best
        if best >= 0:
            np.testing.assert_allclose(points[y, x], ray * depth, atol=1e-9)


def test_a_triangle_behind_the_camera_is_left_out():
    points = np.array([[0, 0, 1.0], [9, 0, -1.0], [0, 9, 1.0]])
    assert (cover(points, np.array([[0, 1, 2]], np.int32), 10, 10) == -1).all()


def test_what_does_not_move_is_exactly_still():
    vertices, triangles = random_triangles()
    camera = Camera(120.0, (31.5, 31.5))
    index, weights = rasterize(camera.project(vertices), triangles, 64, 64)
    assert not displace(vertices, vertices.copy(), triangles, index, weights, 120.0)[..., :2].any()


def test_sampling_is_exact_on_the_grid_and_smooth_between():
    y, x = np.mgrid[:12, :15].astype(float)
    texture = np.dstack([2 * x + 3 * y, 100 - x]).astype(np.float32)
    inside = np.ones((12, 15), bool)
    np.testing.assert_allclose(sample(texture, np.dstack([x, y]), inside), texture, atol=1e-4)
    middle = np.dstack([x, y])[3:8, 3:11] + [0.3, 0.137]
    expected = texture[3:8, 3:11] + [0.6 + 0.411, -0.3]
    np.testing.assert_allclose(sample(texture, middle, inside[3:8, 3:11]), expected, atol=1e-4)
