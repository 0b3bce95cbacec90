"""FLAME, from the user's own licensed file.

Li et al., "Learning a model of facial shape and expression from 4D scans", SIGGRAPH Asia 2017. FLAME's license forbids
redistribution: download the file from https://flame.is.tue.mpg.de and pass its path. FLAME's expression components
have no names, so each ARKit shape is the combination of components and jaw rotation whose landmark motion is closest
to that of MakeHuman's shape of the same name.
"""

import io
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mer.face.canonical import canonical_landmarks
from mer.face.regions import REGIONS
from mer.synth.face_model import FaceModel, FaceModelError, closest_points, make_face_model, no_landmarks
from mer.synth.face_model_files import FLIP_YZ, LANDMARK_TABLE, read_arrays
from mer.synth.fit import similarity

_KEYS = ("v_template", "f", "shapedirs", "J_regressor", "weights")
_IDENTITY_COMPONENTS, _IDENTITY_USED = 300, 80  # in the file, and how many of them are used
_JAW, _LEFT_EYE, _RIGHT_EYE = 2, 3, 4  # joints
_MESH_LANDMARKS = 468  # without the irises


def load_flame(path: str | Path | None = None) -> FaceModel:
    """Load FLAME from one of its files, such as `generic_model.pkl`, or an `.npz` file with the same keys.

    These are `v_template`, `f`, `shapedirs` (V, 3, 300 + expressions), `J_regressor` and `weights`. Reading the pickle
    does not execute code from it.
    """
    if path is None:
        raise FileNotFoundError(
            "FLAME needs your own licensed file (https://flame.is.tue.mpg.de); "
            "pass `--face-model-path generic_model.pkl`"
        )
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no FLAME file at {path}")
    a = read_arrays(path, _KEYS) if path.suffix == ".npz" else _read_pickle(path)
    vertices = np.asarray(a["v_template"], float)
    count = len(vertices)
    directions, joints, weights = (np.asarray(a[key], float) for key in ("shapedirs", "J_regressor", "weights"))
    if vertices.ndim != 2 or directions.shape[:2] != vertices.shape or directions.shape[2] <= _IDENTITY_COMPONENTS:
        raise FaceModelError(
            f"{path}: shapedirs has shape {directions.shape} for vertices {vertices.shape}; "
            f"expected (V, 3, {_IDENTITY_COMPONENTS} + expressions)"
        )
    if joints.shape[-1] != count or len(weights) != count or min(len(joints), weights.shape[1]) <= _RIGHT_EYE:
        raise FaceModelError(
            f"{path}: J_regressor {joints.shape} and weights {weights.shape} do not fit {count} vertices"
        )
    centers = joints @ vertices
    directions = np.moveaxis(directions, 2, 0) * FLIP_YZ
    jaw = [weights[:, _JAW, None] * np.cross(axis, vertices - centers[_JAW]) * FLIP_YZ for axis in np.eye(3)]
    motions = np.concatenate([directions[_IDENTITY_COMPONENTS:], jaw])
    unnamed = {str(k): motion for k, motion in enumerate(motions)}
    triangles, identity = np.asarray(a["f"], np.int64), directions[:_IDENTITY_USED]
    skin = make_face_model("flame", vertices * FLIP_YZ, triangles, unnamed, identity, *no_landmarks())
    skin = place_landmarks(skin, centers[[_RIGHT_EYE, _LEFT_EYE]] * FLIP_YZ)
    return replace(skin, expressions=_arkit_shapes(skin))


def place_landmarks(skin: FaceModel, eyes: np.ndarray) -> FaceModel:
    """Place the canonical landmarks on a mesh: aligned by the eyes `(2, 3)`, right first, then by closest points."""
    face = canonical_landmarks().astype(float)
    canonical_eyes = np.array([face[list(REGIONS[f"{side}_eye"])].mean(axis=0) for side in ("right", "left")])
    scale = float(np.linalg.norm(eyes[1] - eyes[0])) / float(np.linalg.norm(canonical_eyes[1] - canonical_eyes[0]))
    points = (face - canonical_eyes.mean(axis=0)) * scale + eyes.mean(axis=0)
    points[:, 2] += skin.vertices[:, 2].min() - points[:, 2].min()  # the tip of the nose is nearest to the camera
    points = points[:_MESH_LANDMARKS]
    for _ in range(30):  # iterative closest point
        corners, weights = closest_points(points, skin.vertices, skin.triangles)
        closest = np.einsum("nk,nkd->nd", weights, skin.vertices[corners])
        scale, rotation, translation = similarity(points, closest)
        points = scale * points @ rotation.T + translation
    corners, weights = closest_points(points, skin.vertices, skin.triangles)
    all_corners, all_weights = no_landmarks()
    all_corners[:_MESH_LANDMARKS], all_weights[:_MESH_LANDMARKS] = corners, weights
    return replace(skin, landmark_vertices=all_corners, landmark_weights=all_weights)


def _arkit_shapes(skin: FaceModel) -> dict[str, np.ndarray]:
    """ARKit's shapes: ridge regression of MakeHuman's landmark motion on that of FLAME's components."""
    with np.load(LANDMARK_TABLE, allow_pickle=False) as table:
        names = [str(name) for name in table["arkit_names"]]
        target = table["arkit_motion"].astype(float) * table["arkit_scale"][:, None, None]
    rest = skin.all_landmarks(skin.vertices)
    interocular = np.linalg.norm(rest[263] - rest[33])
    motions = np.stack(list(skin.expressions.values()))
    columns = skin.landmarks(motions).reshape(len(motions), -1)
    gram = columns @ columns.T
    ridge = 1e-3 * np.trace(gram) / len(gram) * np.eye(len(gram))
    target = (interocular * target[:, skin.has_landmark]).reshape(len(names), -1)
    mix = np.linalg.solve(gram + ridge, columns @ target.T)
    return dict(zip(names, np.tensordot(mix.T, motions, 1)))


class _Array:
    """Stands in for the chumpy arrays in FLAME's pickles, which hold a NumPy array as their attribute `x`."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.value = state.get("x")


class _ArrayUnpickler(pickle.Unpickler):
    """Loads arrays and refuses everything else, so that no code from the file runs."""

    def find_class(self, module: str, name: str) -> Any:
        if module.startswith("chumpy"):
            return _Array
        allowed = {
            ("numpy.core.multiarray", "_reconstruct"), ("numpy._core.multiarray", "_reconstruct"),
            ("numpy.core.multiarray", "scalar"), ("numpy._core.multiarray", "scalar"),
            ("numpy", "ndarray"), ("numpy", "dtype"),
        }  # fmt: skip
        if (module, name) in allowed or (module.startswith("scipy.sparse") and name in ("csc_matrix", "csr_matrix")):
            return super().find_class(module, name)
        if (module, name) == ("_codecs", "encode"):
            import _codecs

            return _codecs.encode
        if (module, name) in (("copy_reg", "_reconstructor"), ("copyreg", "_reconstructor")):
            return lambda cls, base, state: cls.__new__(cls)
        if (module, name) in (("__builtin__", "object"), ("builtins", "object")):
            return object
        raise pickle.UnpicklingError(f"contains {module}.{name}, which is not an array")


def _read_pickle(path: Path) -> dict[str, np.ndarray]:
    try:
        content = _ArrayUnpickler(io.BytesIO(path.read_bytes()), encoding="latin1").load()
        out = {}
        for key in _KEYS:
            value: Any = content[key]
            value = value.value if isinstance(value, _Array) else value
            out[key] = np.asarray(value.toarray() if hasattr(value, "toarray") else value)
        return out
    except KeyError as error:
        raise FaceModelError(f"{path}: no array {error.args[0]!r}; expected {', '.join(_KEYS)}") from error
    except Exception as error:  # a damaged pickle can raise anything
        raise FaceModelError(f"{path}: not a readable FLAME file ({error})") from error
