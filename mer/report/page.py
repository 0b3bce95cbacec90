"""Render HTML pages from plain values with the templates in `templates/`."""

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
    """Render the report of an evaluation as an HTML string.

    Parameters
    ----------
    record : dict
        Content of `scores.json`: scores, settings, hashes (:meth:`mer.evaluation.result.Result.record`).
    counts : (C, C + 1)
        Confusion matrix, averaged over seeds; the last column counts clips without a prediction.
    subjects : DataFrame
        One row per person: `dataset, subject, clips, failed, accuracy`.
    confusions : sequence of dict
        Frequent errors from :func:`mer.evaluation.confusions.with_pictures`.
    with_faces : bool
        Whether the report was requested with pictures of faces.
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
    """Render the report of an action-unit evaluation, from the content of its `scores.json`."""
    return _page("units.html.j2", record)


def render_comparison(record: Mapping[str, Any]) -> str:
    """Render the report of a comparison, from the record of a :class:`mer.evaluation.compare.Comparison`."""
    return render("compare.html.j2", r=record)


def _page(template: str, record: Mapping[str, Any], **more: Any) -> str:
    return render(
        template,
        r=record,
        note=str(record["flow_run"].get("note") or ""),
        flow_run=list(flat(record["flow_run"])),
        settings=[(key, value) for key, value in flat(record["settings"]) if key not in ("named", "seeded")],
        chosen=[(name, value, n) for name, counts in record["chosen"].items() for value, n in counts.items()],
        **more,
    )


def render(name: str, script: str = "", **values: Any) -> str:
    """Render a template with `style.css`; a content security policy blocks the network and all scripts but `script`."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES, encoding="utf-8"),
        autoescape=True,  # clip names and messages are untrusted
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(score=_score, number=_number, interval=_interval, percent=_percent, shade=_shade)
    style = Markup((TEMPLATES / "style.css").read_text(encoding="utf-8"))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    allowed = Markup(f"'sha256-{digest}'" if script else "'none'")
    return environment.get_template(name).render(style=style, script=Markup(script), script_hash=allowed, **values)


def _score(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _interval(ends: list[float] | None) -> str:
    return "–" if ends is None else f"{ends[0]:.3f} to {ends[1]:.3f}"


def _number(value: float) -> str:
    """Format a count, or a mean of counts with one decimal."""
    return f"{value:.1f}".removesuffix(".0")


def _percent(part: float, whole: float) -> str:
    return f"{100 * part / whole:.0f} %" if whole else "–"


def _shade(part: float, whole: float) -> str:
    """CSS of a confusion matrix cell: one hue, darker for larger shares, so that it also works in gray."""
    share = part / whole if whole else 0.0
    text = "#fff" if share > 0.5 else "#16181d"
    return f"background: hsl(214 {35 + 30 * share:.0f}% {97 - 65 * share:.0f}%); color: {text}"


def _strips(subjects: pd.DataFrame) -> list[dict[str, Any]]:
    """Dot plots of accuracy, one per database: one dot per person, with equal values stacked."""
    strips = []
    for dataset, people in subjects.groupby("dataset", sort=True):
        positions = (people["accuracy"] * 60).round() / 60  # a dot covers 1/60 of the axis
        levels = positions.groupby(positions).cumcount()
        dots = [{"x": x, "level": level} for x, level in zip(positions.tolist(), levels.tolist())]
        strips.append({"dataset": dataset, "dots": dots, "height": 14 + 11 * int(levels.max())})
    return strips


def flat(record: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Flatten nested settings into rows of a table, such as `("versions numpy", "2.2.0")`."""
    for key, value in record.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{key} ")
        elif key != "note":
            text = " ".join(map(str, value)) if isinstance(value, list) else value
            yield f"{prefix}{key}", text if isinstance(text, str) else json.dumps(text)
