from __future__ import annotations

import numpy as np
import pytest

from mer.synth.face_model import FaceModelError, closest_points, make_face_model, no_landmarks


def test_closest_points_lie_on_the_surface():
    vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0.0]])
    triangles = np.array([[0, 1, 2]])
    corners, weights = closest_points(np.array([[0.2, 0.2, 5], [2, -1, 0], [1, 1, 1.0]]), vertices, triangles)
    points = np.einsum("nk,nkd->nd", weights, vertices[corners])
    np.testing.assert_allclose(points, [[0.2, 0.2, 0], [1, 0, 0], [0.5, 0.5, 0]], atol=1e-12)


def test_only_the_largest_surface_is_kept():
    vertices = np.arange(21.0).reshape(7, 3)
    triangles = np.array([[4, 5, 6], [0, 1, 2], [1, 2, 3]])
    corners, weights = no_landmarks()
    corners[0], corners[1], weights[:2] = [1, 2, 3], [4, 5, 6], 1 / 3
    model = make_face_model("two", vertices, triangles, {}, np.zeros((0, 7, 3)), corners, weights)
    np.testing.assert_array_equal(model.vertices, vertices[:4])
    assert model.triangles.tolist() == [[0, 1, 2], [1, 2, 3]]
    assert np.flatnonzero(model.has_landmark).tolist() == [0]  # the other landmark was on the small surface
    np.testing.assert_allclose(model.all_landmarks(model.vertices)[0], vertices[1:4].mean(0))


def test_a_triangle_without_its_vertices_is_an_error():
    with pytest.raises(FaceModelError, match="refers to vertex 9"):
        make_face_model("bad", np.zeros((3, 3)), np.array([[0, 1, 9]]), {}, np.zeros((0, 3, 3)), *no_landmarks())
