"""A user's own FLAME file (Li et al., "Learning a model of facial shape and expression from 4D scans", SIGGRAPH Asia
2017).

FLAME's licence forbids passing it on: download it from https://flame.is.tue.mpg.de and give its path. Its expression
components have no names, so each ARKit shape is the combination of components and jaw motion that moves the landmarks
most nearly as MakeHuman's shape of that name does.
"""

from __future__ import annotations

import io
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mer.face.canonical import canonical_landmarks
from mer.face.regions import REGIONS
from mer.synth.face_model import FaceModel, FaceModelError, closest_points, no_landmarks, skin_of
from mer.synth.fit import similarity
from mer.synth.makehuman import read_arrays

_FLIP = np.array([1.0, -1.0, -1.0])  # FLAME: y up, z towards the camera
_KEYS = ("v_template", "f", "shapedirs", "J_regressor", "weights")
_SHAPES, _USED = 300, 80  # components of identity in the file, and how many of them are used
_JAW, _LEFT_EYE, _RIGHT_EYE = 2, 3, 4  # joints


def load_flame(path: str | Path | None = None) -> FaceModel:
    """The FLAME face.

    Parameters
    ----------
    path : str or Path
        `generic_model.pkl`, `flame2023.pkl` or another of FLAME's files, or an `.npz` with its keys `v_template`, `f`,
        `shapedirs` (V, 3, 400), `J_regressor`, `weights`. The pickle is read without running any code in it.
    """
    if path is None:
        raise FileNotFoundError(
            "FLAME needs your own licensed file (https://flame.is.tue.mpg.de); "
            "give `--face-model-path generic_model.pkl`"
        )
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no FLAME file at {path}")
    a = read_arrays(path, _KEYS) if path.suffix == ".npz" else _read_pickle(path)
    vertices = np.asarray(a["v_template"], float)
    count = len(vertices)
    directions, joints, weights = (np.asarray(a[key], float) for key in ("shapedirs", "J_regressor", "weights"))
    if vertices.ndim != 2 or directions.shape[:2] != vertices.shape or directions.shape[2] <= _SHAPES:
        raise FaceModelError(
            f"{path}: shapedirs is {directions.shape} for vertices {vertices.shape}; "
            f"expected (V, 3, {_SHAPES} + expressions)"
        )
    if (
        joints.shape[-1] != count
        or len(joints) <= _RIGHT_EYE
        or weights.shape[0] != count
        or weights.shape[1] <= _RIGHT_EYE
    ):
        raise FaceModelError(
            f"{path}: J_regressor {joints.shape} and weights {weights.shape} do not fit {count} vertices"
        )
    centers = joints @ vertices
    directions = np.moveaxis(directions, 2, 0) * _FLIP
    jaw = [weights[:, _JAW, None] * np.cross(axis, vertices - centers[_JAW]) * _FLIP for axis in np.eye(3)]
    motions = np.concatenate([directions[_SHAPES:], jaw])
    corners, bary = no_landmarks()
    parts = {str(k): motion for k, motion in enumerate(motions)}
    skin = skin_of("flame", vertices * _FLIP, np.asarray(a["f"], np.int64), parts, directions[:_USED], corners, bary)
    skin = place_landmarks(skin, centers[[_RIGHT_EYE, _LEFT_EYE]] * _FLIP)
    return replace(skin, expressions=_named_shapes(skin))


def place_landmarks(skin: FaceModel, eyes: np.ndarray) -> FaceModel:
    """Lay the canonical landmarks on a surface: by the eyes `(2, 3)`, right first, then by closest points."""
    face = canonical_landmarks().astype(float)
    own = np.array([face[list(REGIONS[f"{side}_eye"])].mean(axis=0) for side in ("right", "left")])
    scale = float(np.linalg.norm(eyes[1] - eyes[0])) / float(np.linalg.norm(own[1] - own[0]))
    points = (face - own.mean(axis=0)) * scale + eyes.mean(axis=0)
    points[:, 2] += skin.vertices[:, 2].min() - points[:, 2].min()  # the tip of the nose is the nearest point of a face
    points = points[:468]
    for _ in range(30):
        corners, weights = closest_points(points, skin.vertices, skin.triangles)
        found = np.einsum("nk,nkd->nd", weights, skin.vertices[corners])
        scale, turn, shift = similarity(points, found)
        points = scale * points @ turn.T + shift
    corners, weights = closest_points(points, skin.vertices, skin.triangles)
    all_corners, all_weights = no_landmarks()
    all_corners[:468], all_weights[:468] = corners, weights
    return replace(skin, corners=all_corners, weights=all_weights)


def _named_shapes(skin: FaceModel) -> dict[str, np.ndarray]:
    """ARKit's shapes as ridge regressions of MakeHuman's motion of the landmarks on the file's own motions."""
    with np.load(Path(__file__).with_name("landmarks.npz"), allow_pickle=False) as table:
        names = [str(name) for name in table["arkit_names"]]
        wanted = table["arkit_motion"].astype(float) * table["arkit_scale"][:, None, None]
    rest = np.zeros((478, 3))
    rest[skin.marked] = skin.landmarks(skin.vertices)
    unit = np.linalg.norm(rest[263] - rest[33])
    motions = np.stack(list(skin.expressions.values()))
    columns = skin.landmarks(motions).reshape(len(motions), -1)
    gram = columns @ columns.T
    prior = 1e-3 * np.trace(gram) / len(gram) * np.eye(len(gram))
    mix = np.linalg.solve(gram + prior, columns @ (unit * wanted[:, skin.marked].reshape(len(names), -1)).T)
    return dict(zip(names, np.tensordot(mix.T, motions, 1)))


class _Array:
    """Stands for chumpy's array, which FLAME's pickles hold: its number array is its attribute `x`."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.value = state.get("x")


class _Reader(pickle.Unpickler):
    """Reads arrays and nothing else."""

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
        if (module, name) == ("copy_reg", "_reconstructor") or (module, name) == ("copyreg", "_reconstructor"):
            return lambda cls, base, state: cls.__new__(cls)
        if (module, name) in (("__builtin__", "object"), ("builtins", "object")):
            return object
        raise pickle.UnpicklingError(f"holds {module}.{name}, which is no array")


def _read_pickle(path: Path) -> dict[str, np.ndarray]:
    try:
        content = _Reader(io.BytesIO(path.read_bytes()), encoding="latin1").load()
        out = {}
        for key in _KEYS:
            value: Any = content[key]
            value = value.value if isinstance(value, _Array) else value
            out[key] = np.asarray(value.toarray() if hasattr(value, "toarray") else value)
        return out
    except KeyError as error:
        raise FaceModelError(f"{path}: no array {error.args[0]!r} in it; expected {', '.join(_KEYS)}") from error
    except Exception as error:  # a pickle can fail in any way
        raise FaceModelError(f"{path}: not a readable FLAME file ({error})") from error
