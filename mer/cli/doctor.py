"""`mer doctor`"""

from __future__ import annotations

import platform
from collections.abc import Iterator

import typer


def doctor() -> None:
    """Check the installation: what works on this machine, and what to do about what does not.

    The exit status is 1 where something that the defaults need is missing.

    Example: `mer doctor`
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table(box=box.SIMPLE_HEAD if console.is_terminal else box.ASCII2, show_header=False)
    for _ in range(3):
        table.add_column(overflow="fold")
    fine = True
    for needed, ok, what, detail in _findings():
        fine &= ok or not needed
        table.add_row("ok" if ok else "MISSING" if needed else "not here", what, detail)
    console.print(table)
    raise typer.Exit(0 if fine else 1)


def _findings() -> Iterator[tuple[bool, bool, str, str]]:
    """`(needed by the defaults, works, what, detail)`"""
    import os

    from mer.flow_folder import versions

    yield True, _python() >= (3, 10), f"Python {platform.python_version()}", "3.10 and newer"
    for library, release in versions().items():
        yield True, release != "not installed", library, release
    yield True, *_opencv()
    yield True, *_videos()
    from mer.face import detector_status

    detectors = detector_status()
    for name, fault in detectors.items():
        yield name == "mediapipe" and _python() < (3, 13), not fault, f"faces by {name}", fault or "works"
    from mer.methods import DEFAULT_METHOD, METHODS, method_status

    for name in METHODS:
        fault = method_status(name)
        default = "the default" if name == DEFAULT_METHOD else "works"
        yield name == DEFAULT_METHOD, not fault, f"flow by {name}", fault or default
    from mer.models import MODELS
    from mer.protocol import PROTOCOLS

    yield True, bool(MODELS), f"{len(MODELS)} classifiers", ", ".join(MODELS)
    yield True, bool(PROTOCOLS), f"{len(PROTOCOLS)} protocols", ", ".join(PROTOCOLS)
    yield False, True, "processors", str(os.cpu_count())


def _python() -> tuple[int, int]:
    import sys

    return sys.version_info[:2]


def _opencv() -> tuple[bool, str, str]:
    from importlib.metadata import PackageNotFoundError, version

    try:
        import cv2
    except ImportError as error:
        return False, "OpenCV", f"{error}; in a slim container: apt-get install libgl1 libglib2.0-0"
    has_tvl1 = hasattr(cv2, "optflow")
    try:
        version("opencv-python")
        clash = (
            "opencv-python stands beside opencv-contrib-python and shares its folder: uninstall both, reinstall contrib"
        )
    except PackageNotFoundError:
        clash = ""
    return has_tvl1, "OpenCV with TV-L1", clash or ("works" if has_tvl1 else "reinstall opencv-contrib-python")


def _videos() -> tuple[bool, str, str]:
    import av

    codecs = [name for name in ("h264", "hevc", "mpeg4", "mpeg1video", "vp9") if name in av.codecs_available]
    return "h264" in codecs, "video by FFmpeg", ", ".join(codecs)
