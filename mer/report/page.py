"""From plain values to a page; the words stand in `report.html.j2`, the looks in `style.css`."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

TEMPLATES = Path(__file__).with_name("templates")


def render_report(
    record: Mapping[str, Any],
    counts: np.ndarray,
    subjects: pd.DataFrame,
    confusions: Sequence[Mapping[str, Any]] = (),
    with_faces: bool = False,
) -> str:
    """The page as a string.

    Parameters
    ----------
    record : dict
        The content of `scores.json`: scores, settings, hashes (:meth:`mer.evaluation.result.Result.record`).
    counts : (C, C + 1)
        The confusion matrix, means over the seeds; the last column holds the clips without an answer.
    subjects : DataFrame
        One row a person: `dataset, subject, clips, failed, accuracy`.
    confusions : sequence of dict
        As :func:`mer.evaluation.confusions.with_pictures` gives them.
    with_faces : bool
        Whether they were asked to show faces.
    """
    return _page(
        "report.html.j2",
        record,
        counts=counts.tolist(),
        subjects=subjects.to_dict("records"),
        strips=_strips(subjects),
        confusions=confusions,
        faces=with_faces,
        oracle=record.get("oracle"),
    )


def render_unit_report(record: Mapping[str, Any]) -> str:
    """The page of a :class:`mer.evaluation.au_result.UnitResult` as a string, from the content of its `scores.json`."""
    return _page("units.html.j2", record)


def render_comparison(record: Mapping[str, Any]) -> str:
    """The page of a :class:`mer.evaluation.compare.Comparison` as a string, from its record."""
    return render("compare.html.j2", r=record)


def _page(template: str, record: Mapping[str, Any], **more: Any) -> str:
    return render(
        template,
        r=record,
        note=str(record["flow_run"].get("note") or ""),
        flow_run=list(flat(record["flow_run"])),
        settings=[(key, value) for key, value in flat(record["settings"]) if key not in ("named", "seeded")],
        chosen=[(name, value, n) for name, often in record["chosen"].items() for value, n in often.items()],
        **more,
    )


def render(name: str, script: str = "", **values: Any) -> str:
    """The page. It forbids itself the network, and every script but its own."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    pages = Environment(
        loader=FileSystemLoader(TEMPLATES, encoding="utf-8"),
        autoescape=True,  # names of clips and messages come from outside
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.filters.update(score=_score, number=_number, interval=_interval, percent=_percent, shade=_shade)
    style = Markup((TEMPLATES / "style.css").read_text(encoding="utf-8"))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    allowed = Markup(f"'sha256-{digest}'" if script else "'none'")
    return pages.get_template(name).render(style=style, script=Markup(script), script_hash=allowed, **values)


def _score(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _interval(ends: list[float] | None) -> str:
    return "–" if ends is None else f"{ends[0]:.3f} to {ends[1]:.3f}"


def _number(value: float) -> str:
    """A count; a mean of counts with one decimal."""
    return f"{value:.1f}".removesuffix(".0")


def _percent(part: float, whole: float) -> str:
    return f"{100 * part / whole:.0f} %" if whole else "–"


def _shade(part: float, whole: float) -> str:
    """The look of a cell of the confusion matrix: one hue, so that a gray print keeps the order."""
    share = part / whole if whole else 0.0
    ink = "#fff" if share > 0.5 else "#16181d"
    return f"background: hsl(214 {35 + 30 * share:.0f}% {97 - 65 * share:.0f}%); color: {ink}"


def _strips(subjects: pd.DataFrame) -> list[dict[str, Any]]:
    """For each database its people as dots along their accuracy; equal ones are stacked."""
    strips = []
    for dataset, people in subjects.groupby("dataset", sort=True):
        places = (people["accuracy"] * 60).round() / 60  # a dot is as wide
        levels = places.groupby(places).cumcount()
        dots = [{"x": x, "level": level} for x, level in zip(places.tolist(), levels.tolist())]
        strips.append({"dataset": dataset, "dots": dots, "height": 14 + 11 * int(levels.max())})
    return strips


def flat(record: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Nested settings as lines of a table, such as `versions numpy` and `2.2.0`."""
    for key, value in record.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{key} ")
        elif key != "note":
            text = " ".join(map(str, value)) if isinstance(value, list) else value
            yield f"{prefix}{key}", text if isinstance(text, str) else json.dumps(text)
