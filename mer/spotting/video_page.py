"""The page of one video: its curve, its expressions, and a view to scrub through."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mer.report.page import TEMPLATES, flat, render
from mer.report.pictures import flow_pictures, jpeg, wheel
from mer.spotting.viewer_data import Expression

if TYPE_CHECKING:
    from mer.spotting import Spotting

WIDTH, HEIGHT, LEFT, TOP = 1000, 230, 36, 22  # of the curve, and where it begins
POINTS = 1500  # of the curve; each is the highest of the frames that it stands for
FAINT = 0.1  # intensities below are pale
LIMIT = 3  # so many units at full strength at once: more than the readout can tell apart


@dataclass(frozen=True, eq=False)
class Shown:
    """An expression with pictures: its row among the intervals, and its action units as rows of `units.csv`."""

    row: int
    expression: Expression
    units: list[dict[str, Any]]


def render_video_report(
    record: Mapping[str, Any],
    intervals: pd.DataFrame,
    spotted: Spotting,
    shown: Sequence[Shown],
    view: Mapping[str, Any],
    with_faces: bool,
) -> str:
    """The page as a string.

    Parameters
    ----------
    record, intervals
        Of a :class:`mer.spotting.analyze_video.Analysis`.
    spotted : Spotting
    shown : sequence of Shown
        The expressions that get pictures, in order.
    view : dict
        Of :func:`mer.spotting.viewer_data.make_view`, for the same expressions.
    with_faces : bool
    """
    rows = intervals.astype(object).where(intervals.notna(), None).to_dict("records")
    classes = record["model"]["classes"]
    for row in rows:
        row["chances"] = {name: row[f"p_{name}"] for name in classes if row.get(f"p_{name}") is not None}
    return render(
        "video.html.j2",
        script=(TEMPLATES / "viewer.js").read_text(encoding="utf-8"),
        r=record,
        rows=rows,
        cards=[_card(one, rows[one.row], with_faces) for one in shown],
        curve=_curve(spotted, intervals),
        view=view,
        wheel=wheel(),
        faces=with_faces,
        faint=FAINT,
        facts=[
            ("Video", list(flat({**record["video"], "face": record["face"]}))),
            ("Spotting and flow", [*flat({"spotting": record["spotting"]}), *flat({"flow": record["flow"]})]),
            ("Model", list(flat(record["model"]))),
            ("Versions", list(flat(record["versions"]))),
            ("SHA-256", list(flat(record["sha256"]))),
        ],
    )


def _card(one: Shown, row: dict[str, Any], with_faces: bool) -> dict[str, Any]:
    expression = one.expression
    pictures = flow_pictures(expression.flow, expression.alignment.scale, expression.landmarks)
    faces = []
    if with_faces:
        faces = [
            {"name": name, "image": jpeg(image), "frame": row[name], "time": f"{row[f'{name}_time']:.2f} s"}
            for name, image in zip(("onset", "apex"), expression.crops)
        ]
    full = sum(unit["intensity"] >= 0.995 for unit in one.units)
    return {
        "number": one.row + 1, "row": row, "pictures": pictures, "faces": faces, "units": one.units,
        "beyond": full if full >= LIMIT else 0,
    }  # fmt: skip


def _curve(spotted: Spotting, intervals: pd.DataFrame) -> dict[str, Any]:
    """The curve as SVG paths, and what a script needs to find a frame in it."""
    frames = spotted.curve["frame"].to_numpy()
    values = spotted.curve["strength"].to_numpy(dtype=float)
    first, last = int(frames[0]), max(int(frames[-1]), int(frames[0]) + 1)
    step = (WIDTH - LEFT - 8) / (last - first)
    top = 1.1 * max(float(np.nanmax(values, initial=0.0)), 1.25 * spotted.threshold)
    height = HEIGHT - TOP - 24

    def x(frame: float) -> float:
        return round(LEFT + (frame - first) * step, 1)

    def y(value: float) -> float:
        return round(TOP + height * (1 - value / top), 1)

    parts, drawn = [], False
    size = max(1, len(frames) // POINTS)
    for start in range(0, len(frames), size):
        stretch = values[start : start + size]
        if np.isnan(stretch).all():
            drawn = False
            continue
        best = start + int(np.nanargmax(stretch))
        parts.append(f"{'L' if drawn else 'M'}{x(frames[best])} {y(values[best])}")
        drawn = True
    seconds = float(spotted.curve["time"].iloc[-1])
    every = next((n for n in (0.5, 1, 2, 5, 10, 30, 60, 300, 600, 1800) if seconds / n <= 12), 3600)
    ticks = np.arange(0, seconds + 1e-9, every)
    rate = (last - first) / seconds if seconds > 0 else spotted.fps
    return {
        "width": WIDTH, "height": HEIGHT, "top": TOP, "bottom": TOP + height, "left": LEFT, "right": WIDTH - 8,
        "path": "".join(parts), "threshold": y(spotted.threshold), "lost": bool(np.isnan(values).any()),
        "marks": [
            {"x": x(row.onset), "width": max(2.0, round((row.offset - row.onset) * step, 1)), "apex": x(row.apex)}
            for row in intervals.itertuples()
        ],
        "ticks": [{"x": x(first + time * rate), "text": f"{time:g} s"} for time in ticks],
        "n0": first, "x0": LEFT, "dx": step,
    }  # fmt: skip
