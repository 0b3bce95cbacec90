"""Read the files of face models: `.npz` archives, `.obj` meshes, and the shipped table of landmarks."""

import zipfile
from pathlib import Path

import numpy as np

from mer.synth.face_model import FaceModelError, no_landmarks

FLIP_YZ = np.array([1.0, -1.0, -1.0])  # from y up and z toward the camera, as face models have it, to mer's axes
LANDMARK_TABLE = Path(__file__).with_name("landmarks.npz")  # computed by benchmarks/synth_landmarks.py


def landmark_table(name: str) -> tuple[np.ndarray, np.ndarray]:
    """The shipped landmarks of a face model: vertex numbers of the original mesh and barycentric weights, (478, 3)."""
    if not LANDMARK_TABLE.exists():
        return no_landmarks()
    with np.load(LANDMARK_TABLE, allow_pickle=False) as archive:
        return archive[f"{name}_corners"].astype(np.int32), archive[f"{name}_weights"].astype(float)


def read_arrays(path: Path, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """The named arrays of an `.npz` file; `FaceModelError` if the file is damaged or lacks one of them."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in names if name in archive}
    except (OSError, EOFError, ValueError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise FaceModelError(f"{path}: not a readable face model ({error})") from error
    missing = [name for name in names if name not in arrays]
    if missing:
        raise FaceModelError(f"{path}: no array {missing[0]!r}; expected {', '.join(names)}")
    return arrays


def read_obj(path: Path, group: str | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Vertices `(V, 3)` and triangles `(T, 3)` of a Wavefront `.obj` file; polygons are split into triangles.

    Texture coordinates and normals are ignored. If `group` is given, only its polygons are read.
    """
    vertices, triangles, current = [], [], None
    try:
        for line in path.read_text(encoding="utf-8").splitlines():
            words = line.split()
            if words[:1] == ["v"]:
                vertices.append([float(word) for word in words[1:4]])
            elif words[:1] == ["g"]:
                current = words[1]
            elif words[:1] == ["f"] and group in (None, current):
                corners = [int(word.split("/")[0]) - 1 for word in words[1:]]
                triangles += [[corners[0], corners[k], corners[k + 1]] for k in range(1, len(corners) - 1)]
    except (ValueError, IndexError) as error:
        raise FaceModelError(f"{path}: not a readable .obj file ({error})") from error
    return np.array(vertices), np.array(triangles)
