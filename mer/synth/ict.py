"""ICT-FaceKit Light (USC ICT, MIT license): 100 identity modes, 53 expression shapes.

Li et al., "Learning formation of physically-based face attributes", CVPR 2020.
"""

from pathlib import Path

import numpy as np

from mer.synth.face_model import FaceModel, FaceModelError, make_face_model
from mer.synth.face_model_files import FLIP_YZ, landmark_table, read_arrays, read_obj

_IDENTITY, _NEUTRAL = "identity", "generic_neutral_mesh.obj"


def load_ict(path: str | Path | None = None) -> FaceModel:
    """Load the ICT face from the folder `FaceXModel` of https://github.com/ICT-VGL/ICT-FaceKit.

    Alternatively, `path` is an `.npz` file with `neutral`, `tri`, `expr`, `expr_names` and `identity`.
    """
    if path is None:
        raise FileNotFoundError("the ICT face needs its file or folder; pass `--face-model-path PATH`")
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"no face model at {path}")
    vertices, triangles, expressions, identity = _read_folder(path) if path.is_dir() else _read_file(path)
    corners, weights = landmark_table("ict")
    if corners.max() >= len(vertices):
        raise FaceModelError(f"{path}: {len(vertices)} vertices; expected the mesh of ICT-FaceKit Light")
    return make_face_model("ict", vertices, triangles, expressions, identity, corners, weights)


def _read_file(path: Path) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray], np.ndarray]:
    a = read_arrays(path, ("neutral", "tri", "expr", "expr_names", "identity"))
    expressions = {str(n): offsets.astype(float) * FLIP_YZ for n, offsets in zip(a["expr_names"], a["expr"])}
    return a["neutral"].astype(float) * FLIP_YZ, a["tri"], expressions, a["identity"].astype(float) * FLIP_YZ


def _read_folder(path: Path) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray], np.ndarray]:
    if not (path / _NEUTRAL).exists():
        raise FaceModelError(f"{path}: no {_NEUTRAL}; pass the folder FaceXModel of ICT-FaceKit")
    neutral, triangles = read_obj(path / _NEUTRAL)
    expressions, modes = {}, []
    for file in sorted(path.glob("*.obj")):
        if file.name == _NEUTRAL:
            continue
        shape = read_obj(file)[0]
        if shape.shape != neutral.shape:
            raise FaceModelError(f"{file}: {len(shape)} vertices, but the neutral mesh has {len(neutral)}")
        if file.stem.startswith(_IDENTITY):
            modes.append((shape - neutral) * FLIP_YZ)
        else:
            expressions[file.stem] = (shape - neutral) * FLIP_YZ
    return neutral * FLIP_YZ, triangles, expressions, np.stack(modes) if modes else np.zeros((0, *neutral.shape))
