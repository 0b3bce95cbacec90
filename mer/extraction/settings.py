"""The settings that decide the content of a flow folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mer.extraction.apex import APEX_METHOD, APEX_SEARCHES
from mer.extraction.methods import Method, check_method, describe_method
from mer.face import Face, check_detector
from mer.utils.torch_setup import find_device

# Which face to take if there are several, as a sort key: the smallest value wins. Boxes are x0, y0, x1, y1.
FACES: dict[str, Callable[[Face], float]] = {
    "largest": lambda face: -float((face.box[2] - face.box[0]) * (face.box[3] - face.box[1])),
    "left": lambda face: float(face.box[0] + face.box[2]),
    "right": lambda face: -float(face.box[0] + face.box[2]),
}


@dataclass(frozen=True)
class ExtractionSettings:
    """How flow is made from clips; see :func:`mer.extract_flow` for each setting.

    All but `device` decide the content of a flow folder.
    """

    method: Method
    align: str = "mediapipe"
    size: int = 224
    stabilize: bool = False
    face: str = "largest"
    device: str = "auto"
    clips: bool = False
    pairs: bool = False
    apex: str = "flow"

    def check(self) -> None:
        """Raise `ValueError`, `OSError` or `ImportError` if a value is unknown or something is not installed."""
        check_detector(self.align)
        check_face(self.face)
        if self.apex not in APEX_SEARCHES:
            raise ValueError(f"unknown apex search {self.apex!r}; choose {', '.join(APEX_SEARCHES)}")
        if not 32 <= self.size <= 2048:
            raise ValueError(f"size is {self.size}; expected 32 to 2048 pixels")
        check_method(self.method)
        if self.device != "auto":  # `auto` is always available, and importing torch takes long
            find_device(self.device)

    def record(self) -> dict[str, Any]:
        """The settings in `run.json`."""
        plain = ("align", "size", "stabilize", "face", "clips", "pairs", "apex")
        apex_flow = None if self.apex == "midpoint" else describe_method(APEX_METHOD)
        return {
            **describe_method(self.method),
            **{name: getattr(self, name) for name in plain},
            "apex_flow": apex_flow,
        }


def check_face(name: str) -> None:
    """Raise `ValueError` if `name` is not in :data:`FACES`."""
    if name not in FACES:
        raise ValueError(f"unknown choice of face {name!r}; choose {', '.join(FACES)}")
