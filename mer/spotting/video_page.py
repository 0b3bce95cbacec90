"""The report page of a video: its curve, its expressions, and a viewer of frames and flow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mer.report.page import TEMPLATES, flat, render
from mer.report.pictures import flow_pictures, jpeg, wheel
from mer.spotting.spot_video import Spotting
from mer.spotting.viewer_data import ShownExpression

WIDTH, HEIGHT = 1000, 230  # of the curve's picture, pixels
LEFT, TOP, RIGHT, BOTTOM = 36, 22, 8, 24  # its margins
MAX_POINTS = 1500  # of the curve; each is the maximum over several frames if there are more
FAINT = 0.1  # weaker intensities are pale
SATURATED = 0.995  # intensities from here on are at their limit
MANY_SATURATED = 3  # with so many units at their limit, the reading is not reliable
TICK_SECONDS = (0.5, 1, 2, 5, 10, 30, 60, 300, 600, 1800)


def render_video_report(
    record: Mapping[str, Any],
    intervals: pd.DataFrame,
    spotting: Spotting,
    shown: Sequence[ShownExpression],
    view: Mapping[str, Any],
    with_faces: bool,
) -> str:
    """The page as a string.

    Parameters
    ----------
    record, intervals
        Of a :class:`mer.spotting.analyze_video.Analysis`.
    spotting : Spotting
    shown : sequence of ShownExpression
        The expressions with pictures, in order.
    view : dict
        Result of :func:`mer.spotting.viewer_data.make_view` for the same expressions.
    with_faces : bool
        Whether to show the frames.
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
        cards=[_card(each, rows[each.row], with_faces) for each in shown],
        curve=_curve(spotting, intervals),
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


def _card(shown: ShownExpression, row: dict[str, Any], with_faces: bool) -> dict[str, Any]:
    """The expression for the template: numbers, pictures of the flow, frames."""
    expression = shown.expression
    pictures = flow_pictures(expression.flow, expression.alignment.scale, expression.landmarks)
    faces = []
    if with_faces:
        faces = [
            {"name": name, "image": jpeg(image), "frame": row[name], "time": f"{row[f'{name}_time']:.2f} s"}
            for name, image in zip(("onset", "apex"), expression.crops)
        ]
    saturated = sum(unit["intensity"] >= SATURATED for unit in shown.units)
    return {
        "number": shown.row + 1, "row": row, "pictures": pictures, "faces": faces, "units": shown.units,
        "beyond": saturated if saturated >= MANY_SATURATED else 0,
    }  # fmt: skip


def _curve(spotting: Spotting, intervals: pd.DataFrame) -> dict[str, Any]:
    """The curve as an SVG path, with its marks and ticks, and the scale by which a script finds a frame in it."""
    frames = spotting.curve["frame"].to_numpy()
    values = spotting.curve["strength"].to_numpy(dtype=float)
    first, last = int(frames[0]), max(int(frames[-1]), int(frames[0]) + 1)
    step = (WIDTH - LEFT - RIGHT) / (last - first)
    top = 1.1 * max(float(np.nanmax(values, initial=0.0)), 1.25 * spotting.threshold)
    height = HEIGHT - TOP - BOTTOM

    def x(frame: float) -> float:
        return round(LEFT + (frame - first) * step, 1)

    def y(value: float) -> float:
        return round(TOP + height * (1 - value / top), 1)

    path, drawn = [], False
    size = max(1, len(frames) // MAX_POINTS)
    for start in range(0, len(frames), size):
        stretch = values[start : start + size]
        if np.isnan(stretch).all():
            drawn = False
            continue
        highest = start + int(np.nanargmax(stretch))
        path.append(f"{'L' if drawn else 'M'}{x(frames[highest])} {y(values[highest])}")
        drawn = True
    seconds = float(spotting.curve["time"].iloc[-1])
    spacing = next((n for n in TICK_SECONDS if seconds / n <= 12), 3600)
    ticks = np.arange(0, seconds + 1e-9, spacing)
    rate = (last - first) / seconds if seconds > 0 else spotting.fps
    return {
        "width": WIDTH, "height": HEIGHT, "top": TOP, "bottom": TOP + height, "left": LEFT, "right": WIDTH - RIGHT,
        "path": "".join(path), "threshold": y(spotting.threshold), "lost": bool(np.isnan(values).any()),
        "marks": [
            {"x": x(row.onset), "width": max(2.0, round((row.offset - row.onset) * step, 1)), "apex": x(row.apex)}
            for row in intervals.itertuples()
        ],
        "ticks": [{"x": x(first + time * rate), "text": f"{time:g} s"} for time in ticks],
        "n0": first, "x0": LEFT, "dx": step,
    }  # fmt: skip
