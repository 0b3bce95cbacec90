"""ICT-FaceKit Light (USC ICT, MIT licence): 100 modes of identity, 53 expression shapes.

Li et al., "Learning formation of physically-based face attributes", CVPR 2020.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mer.synth.face_model import FaceModel, FaceModelError, skin_of
from mer.synth.makehuman import landmark_table, read_arrays

_FLIP = np.array([1.0, -1.0, -1.0])  # ICT: y up, z towards the camera
_IDENTITY, _NEUTRAL = "identity", "generic_neutral_mesh.obj"


def load_ict(path: str | Path | None = None) -> FaceModel:
    """The ICT face.

    Parameters
    ----------
    path : str or Path
        An `.npz` with `neutral`, `tri`, `expr`, `expr_names` and `identity`, or the folder `FaceXModel` of
        https://github.com/ICT-VGL/ICT-FaceKit with `generic_neutral_mesh.obj` and one `.obj` for each shape.
    """
    if path is None:
        raise FileNotFoundError("the ICT face needs its file or folder; give `--face-model-path PATH`")
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"no face model at {path}")
    vertices, triangles, expressions, identity = _read_folder(path) if path.is_dir() else _read_file(path)
    corners, weights = landmark_table("ict")
    if corners.max() >= len(vertices):
        raise FaceModelError(f"{path}: {len(vertices)} vertices; expected the topology of ICT-FaceKit Light")
    return skin_of("ict", vertices, triangles, expressions, identity, corners, weights)


def _read_file(path: Path) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray], np.ndarray]:
    a = read_arrays(path, ("neutral", "tri", "expr", "expr_names", "identity"))
    expressions = {str(n): offsets.astype(float) * _FLIP for n, offsets in zip(a["expr_names"], a["expr"])}
    return a["neutral"].astype(float) * _FLIP, a["tri"], expressions, a["identity"].astype(float) * _FLIP


def _read_folder(path: Path) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray], np.ndarray]:
    if not (path / _NEUTRAL).exists():
        raise FaceModelError(f"{path}: no {_NEUTRAL} in it; point at ICT-FaceKit's folder FaceXModel")
    neutral, triangles = _read_obj(path / _NEUTRAL)
    expressions, modes = {}, []
    for file in sorted(path.glob("*.obj")):
        if file.name == _NEUTRAL:
            continue
        shape = _read_obj(file)[0]
        if shape.shape != neutral.shape:
            raise FaceModelError(f"{file}: {len(shape)} vertices, the neutral mesh has {len(neutral)}")
        if file.stem.startswith(_IDENTITY):
            modes.append((shape - neutral) * _FLIP)
        else:
            expressions[file.stem] = (shape - neutral) * _FLIP
    return neutral * _FLIP, triangles, expressions, np.stack(modes) if modes else np.zeros((0, *neutral.shape))


def _read_obj(path: Path) -> tuple[np.ndarray, np.ndarray]:
    vertices, triangles = [], []
    try:
        for line in path.read_text(encoding="utf-8").splitlines():
            words = line.split()
            if words[:1] == ["v"]:
                vertices.append([float(word) for word in words[1:4]])
            elif words[:1] == ["f"]:
                corners = [int(word.split("/")[0]) - 1 for word in words[1:]]
                triangles += [[corners[0], corners[k], corners[k + 1]] for k in range(1, len(corners) - 1)]
    except (ValueError, UnicodeDecodeError) as error:
        raise FaceModelError(f"{path}: not a readable .obj ({error})") from error
    return np.array(vertices), np.array(triangles)
