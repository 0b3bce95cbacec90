from __future__ import annotations

import numpy as np

from mer.synth.camera import Camera
from mer.synth.raster import interpolate, rasterize, screen_motion, visible_triangles


def random_triangles(count: int = 60) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    center = rng.uniform([-2, -2, 8], [2, 2, 12], (count, 1, 3))
    vertices = (center + rng.normal(0, 0.5, (count, 3, 3))).reshape(-1, 3)
    return vertices, np.arange(3 * count).reshape(-1, 3).astype(np.int32)


def test_the_visible_triangle_is_the_first_that_a_ray_hits():
    vertices, triangles = random_triangles()
    camera, size = Camera(120.0, (31.5, 31.5)), 64
    index, weights = rasterize(camera.project(vertices), triangles, size, size)
    np.testing.assert_array_equal(index, visible_triangles(camera.project(vertices), triangles, size, size))
    points = interpolate(vertices, triangles, index, weights)
    for y, x in [(y, x) for y in range(0, size, 7) for x in range(0, size, 7)]:
        ray = np.array([(x - 31.5) / 120, (y - 31.5) / 120, 1.0])
        best, depth = -1, np.inf
        for t, (a, b, c) in enumerate(vertices[triangles]):  # Möller & Trumbore
            matrix = np.column_stack([b - a, c - a, -ray])
            u, v, along = np.linalg.solve(matrix, -a)
            if u >= 0 and v >= 0 and u + v <= 1 and 0 < along < depth:
                best, depth = t, along
        assert index[y, x] == best
        if best >= 0:
            np.testing.assert_allclose(points[y, x], ray * depth, atol=1e-9)


def test_a_triangle_behind_the_camera_is_left_out():
    points = np.array([[0, 0, 1.0], [9, 0, -1.0], [0, 9, 1.0]])
    assert (visible_triangles(points, np.array([[0, 1, 2]], np.int32), 10, 10) == -1).all()


def test_motion_of_still_vertices_is_exactly_zero():
    vertices, triangles = random_triangles()
    index, weights = rasterize(Camera(120.0, (31.5, 31.5)).project(vertices), triangles, 64, 64)
    assert not screen_motion(vertices, vertices.copy(), triangles, index, weights, 120.0)[..., :2].any()


def test_motion_is_that_of_the_projected_points():
    vertices, triangles = random_triangles()
    camera = Camera(120.0, (31.5, 31.5))
    index, weights = rasterize(camera.project(vertices), triangles, 64, 64)
    moved = vertices + [0.1, -0.2, 0.3]
    motion = screen_motion(vertices, moved, triangles, index, weights, 120.0)
    visible = index >= 0
    start, end = (camera.project(interpolate(v, triangles, index, weights)[visible]) for v in (vertices, moved))
    np.testing.assert_allclose(motion[visible, :2], (end - start)[:, :2], atol=1e-9)
    np.testing.assert_allclose(motion[visible, 2], end[:, 2])
