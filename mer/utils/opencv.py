"""OpenCV, loaded where it is first used, and what to do where it cannot load."""

from __future__ import annotations

from types import ModuleType

_SYSTEM_LIBRARIES = "in a slim container, `apt-get install libgl1 libglib2.0-0` brings the system libraries it needs"


def import_cv2() -> ModuleType:
    """The module `cv2`; an `ImportError` says what to do where a system library is missing."""
    try:
        import cv2
    except ImportError as error:
        raise ImportError(why_not(error, "OpenCV", "opencv-contrib-python")) from error
    return cv2


def why_not(error: ImportError, name: str, package: str) -> str:
    """One line on why a library does not load: it is not installed, or a system library is missing."""
    if isinstance(error, ModuleNotFoundError):
        return f"{name} is not installed; run `python -m pip install {package}` ({error})"
    return f"{name} cannot load ({error}); {_SYSTEM_LIBRARIES}"
