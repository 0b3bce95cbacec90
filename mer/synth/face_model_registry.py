"""The face models by name."""

from collections.abc import Callable
from functools import lru_cache
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
    """Load a face model.

    Parameters
    ----------
    name : str
        A key of :data:`FACE_MODELS`.
    path : str or Path, optional
        The model's file or folder; only `makehuman` works without.

    Raises
    ------
    ValueError
        If the name is unknown, or, as :class:`mer.synth.face_model.FaceModelError`, if the file is damaged.
    FileNotFoundError
        If the file is missing.
    """
    if name not in FACE_MODELS:
        raise ValueError(f"unknown face model {name!r}; choose from {', '.join(FACE_MODELS)}")
    return FACE_MODELS[name](path)


cached_face_model = lru_cache(maxsize=None)(load_face_model)  # a process that renders many identities loads it once
