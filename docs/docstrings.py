"""What the docs site does to docstrings: roles such as :func:`plot_wheel` become links, and tables tables."""

from __future__ import annotations

import re
from typing import Any

import griffe

ROLE = re.compile(r":(?:func|class|mod|data|attr|meth):`~?([\w.]+)`")
TABLE = re.compile(r"^=+(?: +=+)+\n(?:.*\n)+?=+(?: +=+)+\n(?:(?:.+\n)+?=+(?: +=+)+(?:\n|$))?", re.MULTILINE)


class Roles(griffe.Extension):
    """Runs on every object with a docstring."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.docstring:
            text = TABLE.sub(lambda found: _table(found[0]), obj.docstring.value + "\n")
            obj.docstring.value = ROLE.sub(lambda found: _link(found[1], obj), text).rstrip()


def _table(text: str) -> str:
    """A simple table of reStructuredText in Markdown; the first row of its cells is the head."""
    rule, *lines = text.splitlines()
    starts = [0, *(found.end() for found in re.finditer(r" +", rule))]
    rows: list[list[str]] = []
    for line in lines:
        if not set(line) - {"=", " "}:
            continue
        cells = [line[a:b].strip() for a, b in zip(starts, [*starts[1:], None])]
        if cells[0]:
            rows.append(cells)
        else:  # the cells above go on
            rows[-1] = [f"{above} {cell}".strip() for above, cell in zip(rows[-1], cells)]
    rows.insert(1, ["---"] * len(starts))
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows) + "\n"


def _link(name: str, obj: griffe.Object) -> str:
    """A link where the site has the object, and its name where it has not."""
    place: griffe.Object | None = obj
    target = name
    while place is not None and not name.startswith("mer"):
        if name.split(".")[0] in place.members:
            target = f"{place.path}.{name}"
            break
        place = place.parent
    return f'<autoref identifier="{target}" optional><code>{name}</code></autoref>'
