"""The rows of the fault table: what may go wrong, what happens then, and the test that shows it.

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
    """`happens` is what a user sees: a status of the samples table, or an exit status and a message."""

    area: str
    fault: str
    happens: str
    test: str


ROWS: list[Row] = []


def row(fault: str, happens: str) -> Callable[[Callable], Callable]:
    """Enter a test function as the row of a fault."""

    def enter(test: Callable) -> Callable:
        module = test.__module__.rpartition(".")[2]
        ROWS.append(Row(module.removeprefix("test_"), fault, happens, test.__name__))
        return test

    return enter


def table() -> str:
    """All rows, area by area, as Markdown."""
    for area in AREAS:
        importlib.import_module(f"tests.faults.test_{area}")
    lines = []
    for area, title in AREAS.items():
        lines += [f"### {title}", "", "| fault | what happens | test |", "|---|---|---|"]
        lines += [f"| {r.fault} | {r.happens} | `{r.test}` |" for r in ROWS if r.area == area]
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    from tests.faults import rows  # the module that the tests fill, which is not the one that runs

    print(rows.table())
