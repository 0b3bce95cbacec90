from __future__ import annotations

import pickle

import numpy as np
import pytest

from mer.synth.face_model import FaceModelError
from mer.synth.fit import fit_face
from mer.synth.flame import load_flame
from tests.synth.model_files import flame_arrays, portrait_landmarks


def test_shapes_and_landmarks_come_from_the_file(tmp_path):
    np.savez(tmp_path / "flame.npz", **flame_arrays())
    model = load_flame(tmp_path / "flame.npz")
    assert model.has_landmark.sum() == 468
    assert {"jawOpen", "mouthSmileLeft", "browInnerUp"} <= set(model.expressions)
    points = model.landmarks(model.vertices)
    assert points[4, 2] == pytest.approx(points[:, 2].min(), abs=0.004)
    drop = np.einsum("k,kd->d", model.landmark_weights[152], model.expressions["jawOpen"][model.landmark_vertices[152]])
    assert drop[1] > 0.003  # the jaw opens downward
    assert np.isfinite(fit_face(model, portrait_landmarks()).vertices).all()


def test_reading_a_pickle_runs_no_code(tmp_path):
    path = tmp_path / "generic_model.pkl"
    path.write_bytes(pickle.dumps(flame_arrays(), protocol=2))
    assert load_flame(path).has_landmark.any()

    class Evil:
        def __reduce__(self):
            return (print, ("run",))

    path.write_bytes(pickle.dumps({**flame_arrays(), "posedirs": Evil()}, protocol=2))
    with pytest.raises(FaceModelError, match="which is not an array"):
        load_flame(path)


def test_invalid_arrays_are_reported(tmp_path):
    arrays = flame_arrays()
    np.savez(tmp_path / "a.npz", **(arrays | {"f": arrays["f"] + 10_000}))
    with pytest.raises(FaceModelError, match="a triangle refers to vertex"):
        load_flame(tmp_path / "a.npz")
    arrays["v_template"][3, 1] = np.nan
    np.savez(tmp_path / "b.npz", **arrays)
    with pytest.raises(FaceModelError, match="not finite"):
        load_flame(tmp_path / "b.npz")
    np.savez(tmp_path / "c.npz", **(arrays | {"weights": arrays["weights"][:, :2]}))
    with pytest.raises(FaceModelError, match="do not fit"):
        load_flame(tmp_path / "c.npz")
