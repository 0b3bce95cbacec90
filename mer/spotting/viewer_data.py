"""The frames of a video that a page can be scrubbed through, and the flow of each since the onset of its expression."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from mer.datasets.video import Clip
from mer.extraction.methods import Method, estimate_flow
from mer.face import Alignment, crop
from mer.features import magnitude, resize
from mer.flow import Flow
from mer.report.figures import flow_to_rgb
from mer.report.pictures import jpeg, outline
from mer.utils.progress import Track

GRID = 24  # cells of the flow a side, each with an arrow
INSIDE = 30  # frames of one expression, at most
WITH_FLOW = 150  # frames of all expressions together, and with that the size of the page
BETWEEN = 60  # frames outside of all expressions
SIDE = 224  # pixels of a frame
HUES = 72


@dataclass(frozen=True, eq=False)
class Expression:
    """An expression in a video.

    Attributes
    ----------
    onset, apex, offset : int
        Frame numbers.
    alignment : Alignment
        Of the onset, for all its frames.
    landmarks : float32 (478, 3)
        Of the onset, pixels of the crop.
    crops : (uint8 (H, W, 3), uint8 (H, W, 3))
        Onset and apex.
    flow : Flow
        From onset to apex.
    """

    onset: int
    apex: int
    offset: int
    alignment: Alignment
    landmarks: np.ndarray
    crops: tuple[np.ndarray, np.ndarray]
    flow: Flow


def frames_to_show(numbers: np.ndarray, intervals: Sequence[Expression]) -> dict[int, int]:
    """Frame number -> which of the intervals it belongs to, or -1; ascending.

    Onset, apex and offset of each interval are always there, and as many frames between them, evenly apart, as a page
    can hold.
    """
    between = numbers[np.unique(np.linspace(0, len(numbers) - 1, min(BETWEEN, len(numbers))).round().astype(int))]
    chosen = dict.fromkeys(between.tolist(), -1)
    budget = max(3, min(INSIDE, WITH_FLOW // max(1, len(intervals))))
    for k, one in enumerate(intervals):
        for number in [number for number in chosen if one.onset <= number <= one.offset]:
            del chosen[number]
        inside = numbers[(numbers >= one.onset) & (numbers <= one.offset)]
        places = np.unique(np.linspace(0, len(inside) - 1, min(budget, len(inside))).round().astype(int))
        chosen |= dict.fromkeys([*inside[places].tolist(), one.onset, one.apex, one.offset], k)
    return dict(sorted(chosen.items()))


def make_view(
    clip: Clip,
    expressions: Sequence[Expression],
    alignment_at: Callable[[int], Alignment | None],
    *,
    method: Method,
    device: str = "auto",
    with_faces: bool = True,
    track: Track | None = None,
) -> dict[str, Any]:
    """What the page's script needs, as plain values.

    Parameters
    ----------
    clip : Clip
    expressions : sequence of Expression
        In order, with all crops of one size.
    alignment_at : function
        Frame number -> the transform to a crop, for frames outside of all expressions.
    method : str or function
        Flow method.
    with_faces : bool
        Whether to keep pictures of the frames.

    Returns
    -------
    dict
        `grid`; `size` of the crops; `hues`, flat RGB of the directions from right, clockwise; `frames`, a list of
        dicts: `n` (number), `t` (seconds), `i` (expression or -1), `image` (an address, where faces are shown) and
        `flow` (base64 of int8, the expression and then the head, `(grid, grid, 2)` each); `intervals`, a list of dicts:
        `onset, apex, offset`, `step` (pixels in one step of both fields), `longest` (pixels of facial, head and
        expression flow that get the full color) and `outline`.
    """
    shown = frames_to_show(clip.numbers, expressions)
    times = dict(zip(clip.numbers.tolist(), clip.times.tolist()))
    frames: list[dict[str, Any]] = []
    kept: list[list[tuple[dict[str, Any], Flow]]] = [[] for _ in expressions]
    images = clip.frames(shown)
    for number, image in track(images, len(shown), "frames of the report") if track else images:
        k = shown[number]
        time = times[number]
        frame: dict[str, Any] = {"n": number, "t": round(time, 4) if np.isfinite(time) else None, "i": k}
        alignment = expressions[k].alignment if k >= 0 else alignment_at(number)
        picture = crop(image, alignment) if alignment else _whole(image)
        if k >= 0:
            one = expressions[k]
            known = number == one.apex  # the same crops and method: no need to estimate it again
            flow = one.flow if known else estimate_flow(
                one.crops[0], picture, method, landmarks=one.landmarks, device=device
            )  # fmt: skip
            kept[k].append((frame, flow))
        if with_faces:
            small = picture if len(picture) <= SIDE else resize(picture, SIDE).round().astype(np.uint8)
            frame["image"] = jpeg(small, 78)
        frames.append(frame)
    return {
        "grid": GRID,
        "size": expressions[0].alignment.size if expressions else SIDE,
        "hues": _hues(),
        "frames": frames,
        "intervals": [
            {"onset": one.onset, "apex": one.apex, "offset": one.offset}
            | _pack(kept[k], one.flow)
            | {"outline": outline(one.landmarks)}
            for k, one in enumerate(expressions)
        ],
    }


def _pack(frames: list[tuple[dict[str, Any], Flow]], apex: Flow) -> dict[str, Any]:
    """Put the flow of one expression into its frames, in steps that they have in common; full color is for the apex."""
    fields = [(resize(flow.expression, GRID), resize(flow.head, GRID)) for _, flow in frames]
    largest = [max((float(np.abs(both[part]).max()) for both in fields), default=0.0) for part in (0, 1)]
    steps = [max(value, 1e-6) / 127 for value in largest]
    for (frame, _), both in zip(frames, fields):
        values = np.concatenate([np.round(field / step).ravel() for field, step in zip(both, steps)])
        frame["flow"] = base64.b64encode(values.astype(np.int8).tobytes()).decode()
    inside = apex.mask > 0
    fields_at_apex = (apex.facial, apex.head, apex.expression)
    longest = [float(np.percentile(magnitude(field)[inside], 99)) if inside.any() else 0.0 for field in fields_at_apex]
    return {"step": [round(step, 7) for step in steps], "longest": [max(round(value, 4), 1e-4) for value in longest]}


def _hues() -> list[int]:
    angles = np.arange(HUES) * 2 * np.pi / HUES
    directions = np.stack([np.cos(angles), np.sin(angles)], axis=-1)[None]
    return flow_to_rgb(directions, 1.0).ravel().tolist()


def _whole(image: np.ndarray) -> np.ndarray:
    """A frame without a known face: all of it, on a gray square."""
    height, width = image.shape[:2]
    zoom = SIDE / max(height, width)
    small = cv2.resize(image, (max(1, round(width * zoom)), max(1, round(height * zoom))), interpolation=cv2.INTER_AREA)
    square = np.full((SIDE, SIDE, 3), 235, np.uint8)
    top, left = (SIDE - small.shape[0]) // 2, (SIDE - small.shape[1]) // 2
    square[top : top + small.shape[0], left : left + small.shape[1]] = small
    return square
