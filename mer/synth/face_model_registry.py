"""The face models by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mer.synth.face_model import FaceModel
from mer.synth.flame import load_flame
from mer.synth.ict import load_ict
from mer.synth.makehuman import load_makehuman

FACE_MODELS: dict[str, Callable[[str | Path | None], FaceModel]] = {
    "makehuman": load_makehuman,
    "ict": load_ict,
    "flame": load_flame,
}


def load_face_model(name: str = "makehuman", path: str | Path | None = None) -> FaceModel:
    """Load a face model by its name; `path` is its file or folder, which only `makehuman` can do without."""
    if name not in FACE_MODELS:
        raise ValueError(f"no face model {name!r}; there are {', '.join(FACE_MODELS)}")
    return FACE_MODELS[name](path)
