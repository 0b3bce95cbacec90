from __future__ import annotations

import numpy as np
import pytest

from mer.synth.face_model import FaceModelError
from mer.synth.face_model_registry import FACE_MODELS, cached_face_model, load_face_model


@pytest.mark.parametrize("name", list(FACE_MODELS))
def test_damaged_files_are_reported(tmp_path, name):
    path = tmp_path / "model.npz"
    with pytest.raises(FileNotFoundError, match=r"model.npz"):
        load_face_model(name, path)
    path.write_bytes(b"PK\x03\x04 not a model")
    with pytest.raises(FaceModelError, match="not a readable face model"):
        load_face_model(name, path)
    np.savez(path, neutral=np.zeros((3, 3)))
    with pytest.raises(FaceModelError, match="no array"):
        load_face_model(name, path)


def test_unknown_and_missing_models_are_reported():
    with pytest.raises(ValueError, match="unknown face model 'smpl'"):
        load_face_model("smpl")
    with pytest.raises(FileNotFoundError, match="--face-model-path"):
        load_face_model("ict")
    with pytest.raises(FileNotFoundError, match=r"flame\.is\.tue\.mpg\.de"):
        load_face_model("flame")


def test_a_model_is_loaded_once():
    assert cached_face_model("makehuman", None) is cached_face_model("makehuman", None)
