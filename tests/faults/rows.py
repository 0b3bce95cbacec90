"""The fault table: what can go wrong, what mer does then, and the test that proves it.

`python -m tests.faults.rows` prints the table of `docs/faults.md`; a test compares the two.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import NamedTuple

AREAS = {
    "interruptions": "Interruptions",
    "clips": "Clips: video files and folders of frames",
    "faces": "Faces",
    "sheets": "Labels, sheets, import tables",
    "stored": "Flow files, weights, models, protocols",
}


class Row(NamedTuple):
    """`outcome` is what a user sees: a status in `samples.csv`, or an exit status and a message."""

    area: str
    fault: str
    outcome: str
    test: str


ROWS: list[Row] = []


def row(fault: str, outcome: str) -> Callable[[Callable], Callable]:
    """Decorate the test of a fault: adds a row to the table."""

    def add(test: Callable) -> Callable:
        module = test.__module__.rpartition(".")[2]
        ROWS.append(Row(module.removeprefix("test_"), fault, outcome, test.__name__))
        return test

    return add


def table() -> str:
    """All rows, area by area, as Markdown."""
    for area in AREAS:
        importlib.import_module(f"tests.faults.test_{area}")
    lines = []
    for area, title in AREAS.items():
        lines += [f"### {title}", "", "| fault | outcome | test |", "|---|---|---|"]
        lines += [f"| {r.fault} | {r.outcome} | `{r.test}` |" for r in ROWS if r.area == area]
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    from tests.faults import rows  # not this module, which runs as __main__: the tests fill the imported one

    print(rows.table())
