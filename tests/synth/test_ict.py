from __future__ import annotations

import numpy as np
import pytest

from mer.synth.blendshapes import UNIT_SHAPES, shape_offsets, shape_weights
from mer.synth.face_model import FaceModelError
from mer.synth.fit import fit_face
from mer.synth.ict import load_ict
from tests.synth.model_files import portrait_landmarks


def write_obj(path, vertices):
    path.write_text("".join(f"v {x} {y} {z}\n" for x, y, z in vertices) + "f 1 2 3\n")


def test_the_folder_must_have_the_topology_of_the_light_model(tmp_path):
    with pytest.raises(FaceModelError, match=r"no generic_neutral_mesh\.obj"):
        load_ict(tmp_path)
    write_obj(tmp_path / "generic_neutral_mesh.obj", np.eye(3))
    write_obj(tmp_path / "jawOpen.obj", 2 * np.eye(3))
    with pytest.raises(FaceModelError, match="3 vertices; expected the mesh of ICT-FaceKit Light"):
        load_ict(tmp_path)
    write_obj(tmp_path / "identity000.obj", np.zeros((4, 3)))
    with pytest.raises(FaceModelError, match="4 vertices, but the neutral mesh has 3"):
        load_ict(tmp_path)


@pytest.mark.assets
def test_the_model_fits_a_face_and_shows_every_unit(assets):
    model = load_ict(assets / "models" / "ict_facekit_light.npz")
    assert model.identity.shape[0] == 100
    fit = fit_face(model, portrait_landmarks())
    projected = fit.camera.project(model.landmarks(fit.vertices))[:, :2]
    assert np.median(np.linalg.norm(projected - portrait_landmarks()[model.has_landmark, :2], axis=1)) < 1.0
    for unit in UNIT_SHAPES:
        for shape in shape_weights({unit: 1.0}, "ict"):
            assert np.isfinite(shape_offsets(model, shape)).all()
