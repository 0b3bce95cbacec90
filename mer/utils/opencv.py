"""Importing OpenCV on first use, with an error message that says how to repair an installation."""

from types import ModuleType

SYSTEM_LIBRARIES = "apt-get install libgl1 libglib2.0-0"


def import_cv2() -> ModuleType:
    """Import `cv2`.

    Raises
    ------
    ImportError
        If OpenCV or a system library that it needs is missing; the message says what to install.
    """
    try:
        import cv2
    except ImportError as error:
        raise ImportError(explain_import_error(error, "OpenCV", "opencv-contrib-python")) from error
    return cv2


def explain_import_error(error: ImportError, name: str, package: str) -> str:
    """One line that says whether a package or a system library is missing, and how to install it."""
    if isinstance(error, ModuleNotFoundError):
        return f"{name} is not installed; run `python -m pip install {package}` ({error})"
    return f"{name} cannot load ({error}); in a slim container, run `{SYSTEM_LIBRARIES}`"
