"""From plain values to a page; the words stand in `report.html.j2`, the looks in `style.css`."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

FOLDER = Path(__file__).parent


def render_report(record: Mapping[str, Any], counts: np.ndarray, subjects: pd.DataFrame, picture: bytes) -> str:
    """The page as a string.

    Parameters
    ----------
    record : dict
        The content of `scores.json`: scores, settings, hashes (:meth:`mer.result.Result.record`).
    counts : (C, C + 1)
        The confusion matrix, means over the seeds; the last column holds the clips without an answer.
    subjects : DataFrame
        One row a person: `dataset, subject, clips, failed, accuracy`.
    picture : bytes
        The confusion matrix as PNG.
    """
    return _page(
        "report.html.j2",
        record,
        counts=counts.tolist(),
        subjects=subjects.to_dict("records"),
        picture=base64.b64encode(picture).decode(),
        oracle=record.get("oracle"),
    )


def render_unit_report(record: Mapping[str, Any]) -> str:
    """The page of a :class:`mer.unit_result.UnitResult` as a string, from the content of its `scores.json`."""
    return _page("units.html.j2", record)


def render_comparison(record: Mapping[str, Any]) -> str:
    """The page of a :class:`mer.compare.Comparison` as a string, from its record."""
    return _template("compare.html.j2", r=record)


def _page(template: str, record: Mapping[str, Any], **more: Any) -> str:
    return _template(
        template,
        r=record,
        note=str(record["flow_run"].get("note") or ""),
        flow_run=list(_flat(record["flow_run"])),
        settings=[(key, value) for key, value in _flat(record["settings"]) if key not in ("named", "seeded")],
        chosen=[(name, value, n) for name, often in record["chosen"].items() for value, n in often.items()],
        **more,
    )


def _template(name: str, **values: Any) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    pages = Environment(
        loader=FileSystemLoader(FOLDER, encoding="utf-8"),
        autoescape=True,  # names of clips and messages come from outside
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.filters.update(score=_score, number=_number, interval=_interval, percent=_percent)
    style = Markup((FOLDER / "style.css").read_text(encoding="utf-8"))
    return pages.get_template(name).render(style=style, **values)


def _score(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _interval(ends: list[float] | None) -> str:
    return "–" if ends is None else f"{ends[0]:.3f} to {ends[1]:.3f}"


def _number(value: float) -> str:
    """A count; a mean of counts with one decimal."""
    return f"{value:.1f}".removesuffix(".0")


def _percent(part: float, whole: float) -> str:
    return f"{100 * part / whole:.0f} %" if whole else "–"


def _flat(record: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Nested settings as lines of a table, such as `versions numpy` and `2.2.0`."""
    for key, value in record.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key} ")
        elif key != "note":
            text = " ".join(map(str, value)) if isinstance(value, list) else value
            yield f"{prefix}{key}", text if isinstance(text, str) else json.dumps(text)
