"""Data of the viewer in the report of a video: frames, and the flow of each since the onset of its expression."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from mer.datasets.video import Clip
from mer.extraction.expression import Expression
from mer.extraction.methods import Method, estimate_flow
from mer.face import Alignment, crop
from mer.features import magnitude, resize
from mer.flow import Flow
from mer.report.figures import flow_to_rgb
from mer.report.pictures import jpeg, outline
from mer.utils.progress import Track

GRID = 24  # cells per side of the flow, each with an arrow
MAX_PER_EXPRESSION = 30  # frames
MAX_WITH_FLOW = 150  # frames of all expressions together; limits the size of the page
MAX_BETWEEN = 60  # frames outside expressions
SIDE = 224  # pixels of a frame
HUES = 72
GRAY = 235


@dataclass(frozen=True, eq=False)
class ShownExpression:
    """An expression with pictures in the report.

    Attributes
    ----------
    row : int
        Its position among the intervals.
    offset : int
        Frame number.
    expression : Expression
    units : list of dict
        Its action units, as rows of `units.csv`.
    """

    row: int
    offset: int
    expression: Expression
    units: list[dict[str, Any]]


def frames_to_show(numbers: np.ndarray, intervals: Sequence[tuple[int, int, int]]) -> dict[int, int]:
    """Frame number -> the position of its interval, or -1; ascending.

    `intervals` are onset, apex and offset. These are always shown, with as many equally spaced frames between them as
    a page can hold.
    """
    shown = dict.fromkeys(_spread(numbers, MAX_BETWEEN), -1)
    budget = max(3, min(MAX_PER_EXPRESSION, MAX_WITH_FLOW // max(1, len(intervals))))
    for k, (onset, apex, offset) in enumerate(intervals):
        for number in [number for number in shown if onset <= number <= offset]:
            del shown[number]
        inside = numbers[(numbers >= onset) & (numbers <= offset)]
        shown |= dict.fromkeys([*_spread(inside, budget), onset, apex, offset], k)
    return dict(sorted(shown.items()))


def _spread(numbers: np.ndarray, most: int) -> list[int]:
    """At most so many of the numbers, equally spaced."""
    positions = np.linspace(0, len(numbers) - 1, min(most, len(numbers))).round().astype(int)
    return numbers[np.unique(positions)].tolist()


def make_view(
    clip: Clip,
    shown: Sequence[ShownExpression],
    alignment_at: Callable[[int], Alignment | None],
    *,
    method: Method,
    device: str = "auto",
    with_faces: bool = True,
    track: Track | None = None,
) -> dict[str, Any]:
    """The data of the viewer's script, as plain values.

    Parameters
    ----------
    clip : Clip
    shown : sequence of ShownExpression
        In order, with crops of one size.
    alignment_at : function
        Frame number -> the transform to a crop, for frames outside expressions.
    method : str or function
        Flow method.
    device : str
        `auto`, `cpu` or `cuda`, for flow methods that are networks.
    with_faces : bool
        Whether to keep images of the frames.
    track : function, optional
        Wraps the iterator over frames, to show progress.

    Returns
    -------
    dict
        `grid`; `size` of the crops; `hues`, flat RGB of the directions from right, clockwise; `frames`, a list of
        dicts: `n` (number), `t` (seconds), `i` (expression or -1), `image` (a data URL, if faces are shown) and `flow`
        (base64 of int8: expression flow, then head flow, `(grid, grid, 2)` each); `intervals`, a list of dicts:
        `onset, apex, offset`, `step` (pixels per unit of the int8 of both fields), `longest` (pixels of facial, head
        and expression flow at full color) and `outline`.
    """
    marks = [(each.expression.onset, each.expression.apex, each.offset) for each in shown]
    interval_of = frames_to_show(clip.numbers, marks)
    times = dict(zip(clip.numbers.tolist(), clip.times.tolist()))
    frames: list[dict[str, Any]] = []
    flows: list[list[tuple[dict[str, Any], Flow]]] = [[] for _ in shown]
    images = clip.frames(interval_of)
    for number, image in track(images, len(interval_of), "frames of the report") if track else images:
        k, time = interval_of[number], times[number]
        frame: dict[str, Any] = {"n": number, "t": round(time, 4) if np.isfinite(time) else None, "i": k}
        alignment = shown[k].expression.alignment if k >= 0 else alignment_at(number)
        picture = crop(image, alignment) if alignment else _letterbox(image)
        if k >= 0:
            flows[k].append((frame, _flow_to(picture, number, shown[k].expression, method, device)))
        if with_faces:
            small = picture if len(picture) <= SIDE else resize(picture, SIDE).round().astype(np.uint8)
            frame["image"] = jpeg(small, 78)
        frames.append(frame)
    return {
        "grid": GRID,
        "size": shown[0].expression.alignment.size if shown else SIDE,
        "hues": _hues(),
        "frames": frames,
        "intervals": [
            {"onset": onset, "apex": apex, "offset": offset}
            | _pack(flows[k], shown[k].expression.flow)
            | {"outline": outline(shown[k].expression.landmarks)}
            for k, (onset, apex, offset) in enumerate(marks)
        ],
    }


def _flow_to(picture: np.ndarray, number: int, expression: Expression, method: Method, device: str) -> Flow:
    """The flow from the onset to a frame of the expression."""
    if number == expression.apex:  # estimated already, from the same crops by the same method
        return expression.flow
    return estimate_flow(expression.crops[0], picture, method, landmarks=expression.landmarks, device=device)


def _pack(frames: list[tuple[dict[str, Any], Flow]], apex: Flow) -> dict[str, Any]:
    """Add the quantized flow of one expression to its frames; return the step sizes and the lengths at full color."""
    fields = [(resize(flow.expression, GRID), resize(flow.head, GRID)) for _, flow in frames]
    largest = [max((float(np.abs(pair[part]).max()) for pair in fields), default=0.0) for part in (0, 1)]
    steps = [max(value, 1e-6) / 127 for value in largest]
    for (frame, _), pair in zip(frames, fields):
        values = np.concatenate([np.round(field / step).ravel() for field, step in zip(pair, steps)])
        frame["flow"] = base64.b64encode(values.astype(np.int8).tobytes()).decode()
    inside = apex.mask > 0
    fields_at_apex = (apex.facial, apex.head, apex.expression)
    longest = [float(np.percentile(magnitude(field)[inside], 99)) if inside.any() else 0.0 for field in fields_at_apex]
    return {"step": [round(step, 7) for step in steps], "longest": [max(round(value, 4), 1e-4) for value in longest]}


def _hues() -> list[int]:
    angles = np.arange(HUES) * 2 * np.pi / HUES
    directions = np.stack([np.cos(angles), np.sin(angles)], axis=-1)[None]
    return flow_to_rgb(directions, 1.0).ravel().tolist()


def _letterbox(image: np.ndarray) -> np.ndarray:
    """A whole frame on a gray square, if there is no face to align."""
    height, width = image.shape[:2]
    zoom = SIDE / max(height, width)
    small = cv2.resize(image, (max(1, round(width * zoom)), max(1, round(height * zoom))), interpolation=cv2.INTER_AREA)
    square = np.full((SIDE, SIDE, 3), GRAY, np.uint8)
    top, left = (SIDE - small.shape[0]) // 2, (SIDE - small.shape[1]) // 2
    square[top : top + small.shape[0], left : left + small.shape[1]] = small
    return square
