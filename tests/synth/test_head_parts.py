from __future__ import annotations

import numpy as np

from mer.synth.head_parts import EyeSurface, eye_mesh, grid_triangles, mouth_mesh, outer_border, vertex_normals


def grid(rows: int, columns: int) -> np.ndarray:
    y, x = np.mgrid[:rows, :columns].astype(float)
    return np.column_stack([x.ravel(), y.ravel(), np.full(rows * columns, 5.0)])


def test_grid_triangles_cover_the_grid():
    triangles = grid_triangles(3, 4)
    a, b, c = (grid(3, 4)[triangles[:, k]] for k in range(3))
    assert len(triangles) == 12
    assert np.abs(np.cross(b - a, c - a)[:, 2]).sum() / 2 == 6


def test_the_border_is_the_largest_loop():
    triangles = grid_triangles(5, 6)
    holed = triangles[~(triangles == 14).any(axis=1)]  # a hole in the middle
    border = outer_border(grid(5, 6), holed)
    x, y = grid(5, 6)[border, :2].T
    assert len(border) == 18
    assert ((x == 0) | (x == 5) | (y == 0) | (y == 4)).all()


def test_a_plane_has_one_normal():
    np.testing.assert_allclose(vertex_normals(grid(3, 3), grid_triangles(3, 3)), np.tile([0, 0, -1.0], (9, 1)))


def test_an_eye_lies_on_its_surface_behind_the_lids(head):
    vertices, triangles, surface = eye_mesh(head.landmarks, "left")
    assert triangles.max() == len(vertices) - 1
    np.testing.assert_allclose(surface.depth(vertices[:, :2]), vertices[:, 2])
    assert EyeSurface(0, 0, 5, 2).depth(np.array([[1.0, 2.0]])).tolist() == [15]


def test_the_mouth_is_behind_the_lips(head):
    vertices, _, uv, jaw = mouth_mesh(head.landmarks)
    assert vertices[:, 2].min() > head.landmarks[[13, 14], 2].min()
    assert (uv.min(), uv.max()) == (0.02, 0.98)
    assert set(jaw[:104]) == {0.0, 1.0}
