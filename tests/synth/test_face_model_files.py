from __future__ import annotations

import numpy as np
import pytest

from mer.synth.face_model import FaceModelError
from mer.synth.face_model_files import landmark_table, read_arrays, read_obj


def test_polygons_are_split_into_triangles_and_groups_selected(tmp_path):
    path = tmp_path / "mesh.obj"
    path.write_text("v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\ng body\nf 1/1 2/2 3/3 4/4\ng hair\nf 1 2 3\n")
    vertices, triangles = read_obj(path, "body")
    assert vertices.shape == (4, 3)
    assert triangles.tolist() == [[0, 1, 2], [0, 2, 3]]
    assert len(read_obj(path)[1]) == 3


def test_a_damaged_obj_file_is_an_error(tmp_path):
    (tmp_path / "mesh.obj").write_text("v 0 zero 0\n")
    with pytest.raises(FaceModelError, match=r"not a readable \.obj"):
        read_obj(tmp_path / "mesh.obj")


def test_missing_arrays_are_named(tmp_path):
    np.savez(tmp_path / "model.npz", neutral=np.zeros(3))
    assert read_arrays(tmp_path / "model.npz", ("neutral",))["neutral"].tolist() == [0, 0, 0]
    with pytest.raises(FaceModelError, match="no array 'tri'"):
        read_arrays(tmp_path / "model.npz", ("neutral", "tri"))


@pytest.mark.parametrize("name", ["makehuman", "ict"])
def test_shipped_landmarks_have_barycentric_weights(name):
    corners, weights = landmark_table(name)
    present = corners[:, 0] >= 0
    assert present.sum() == 468
    np.testing.assert_allclose(weights[present].sum(1), 1, atol=1e-5)
