"""What `mer doctor --dataset` tells of a copy: found, missing, odd, and the counts beside the published ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sized
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from mer.datasets.au import parse_aus
from mer.datasets.database import Database, Published
from mer.datasets.local_copy import Copy
from mer.samples import STATUSES

EXAMPLES = 5  # rows named before it says how many more there are


class Finding(NamedTuple):
    """One line of the check: `ok`, `note` (odd, and harmless) or `WRONG` (to be mended), what, and the detail."""

    state: str
    what: str
    detail: str


def check_copy(database: Database, copy: Copy) -> Iterator[Finding]:
    """The lines of the check, the counts last."""
    samples, frames = copy.samples, copy.frames
    yield Finding("ok", "sheet", str(copy.sheet or "none; folder names tell the labels"))
    yield Finding("ok", "frames", f"{len(frames.folders)} folders in {frames.used}")
    for note in copy.notes:
        yield Finding("note", "reading", note)
    good = samples["status"] == ""
    yield Finding("ok", "clips", f"{int(good.sum())} of {len(samples)} rows can be used")
    for status, meaning in STATUSES.items():
        rows = samples[samples["status"] == status]
        if len(rows):
            yield Finding("WRONG", status, f"{len(rows)} rows: {meaning}\n{_named(rows)}")
    remarks = samples[good & (samples["message"] != "")]
    if len(remarks):
        yield Finding("note", "odd rows", f"{len(remarks)} rows\n{_named(remarks)}")
    spotted = int((good & samples["apex"].isna()).sum())
    if spotted:
        yield Finding("note", "apex", f"{spotted} clips have none that is annotated: it is to be spotted")
    yield from _odd_cells(database, samples)
    unused = sorted(set(frames.folders.values()) - {Path(source) for source in samples["source"] if source})
    if unused:
        names = ", ".join(f"{folder.parent.name}/{folder.name}" for folder in unused[:EXAMPLES])
        yield Finding("note", "not in the sheet", f"{len(unused)} folders: {names}{_more(unused)}")
    if frames.strange:
        names = ", ".join(frames.strange[:EXAMPLES])
        yield Finding("note", "unknown folders", f"{len(frames.strange)} folders: {names}{_more(frames.strange)}")
    yield from _people(database, samples)
    if nearest(database, samples) is not None and not _agrees(database, samples):
        yield Finding("WRONG", "counts", "the numbers below are not those of a known edition of the sheet")


def counts(database: Database, samples: pd.DataFrame) -> list[tuple[str, int, str]]:
    """`(label, clips here, clips in the published edition that is nearest)`; the last is blank where none is known."""
    found = samples["label"].replace("", "(blank)").value_counts()
    edition = nearest(database, samples, confirmed=False)
    published: Mapping[str, int] = edition.labels if edition else {}
    labels = [*published, *(label for label in database.labels if label not in published)]
    labels += [label for label in found.index if label not in labels]
    rows = [(label, int(found.get(label, 0)), published.get(label, 0)) for label in labels]
    table = [(label, n, _beside(n, expected) if published else "") for label, n, expected in rows if n or expected]
    return [*table, ("all", len(samples), _beside(len(samples), edition.total) if edition else "")]


def _beside(n: int, expected: int) -> str:
    return str(expected) if n == expected else f"{expected} ({n - expected:+d})"


def nearest(database: Database, samples: pd.DataFrame, confirmed: bool = True) -> Published | None:
    """The edition whose counts are nearest, of those that could be checked, or of all."""
    found = samples["label"].value_counts()
    editions = [edition for edition in database.published if edition.confirmed or not confirmed]
    return min(editions, key=lambda edition: _distance(edition, found), default=None)


def _distance(edition: Published, found: pd.Series) -> int:
    if not edition.labels:
        return abs(edition.total - int(found.sum()))
    labels = {*edition.labels, *found.index}
    return sum(abs(edition.labels.get(label, 0) - int(found.get(label, 0))) for label in labels)


def _agrees(database: Database, samples: pd.DataFrame) -> bool:
    """Whether the counts are those of any edition, checked or not."""
    edition = nearest(database, samples, confirmed=False)
    return edition is not None and _distance(edition, samples["label"].value_counts()) == 0


def _people(database: Database, samples: pd.DataFrame) -> Iterator[Finding]:
    people = samples["subject"].nunique()
    edition = nearest(database, samples, confirmed=False)
    if edition is None or edition.people is None:
        yield Finding("note", "people", f"{people}; no published number is known")
    elif people == edition.people:
        yield Finding("ok", "people", str(people))
    else:
        state, doubt = ("WRONG", "") if edition.confirmed else ("note", ", a number that could not be checked")
        yield Finding(state, "people", f"{people}; {edition.people} are published ({edition.source}){doubt}")


def _odd_cells(database: Database, samples: pd.DataFrame) -> Iterator[Finding]:
    strange = samples[~samples["label"].isin(["", *database.labels])]["label"]
    if database.labels and len(strange):
        names = ", ".join(f"{label} ({n})" for label, n in strange.value_counts().items())
        yield Finding("note", "odd labels", f"{names}; expected {', '.join(database.labels)}")
    unread = {text: rest for text in sorted(set(samples["aus"])) if (rest := parse_aus(text)[1])}
    if unread:
        names = ", ".join(list(unread)[:EXAMPLES])
        yield Finding("note", "odd units", f"{len(unread)} cells hold more than action units: {names}{_more(unread)}")


def _named(rows: pd.DataFrame) -> str:
    """The first rows and their messages, a line each."""
    lines = [f"{row['subject']}/{row['clip']}: {row['message']}" for row in rows.head(EXAMPLES).to_dict("records")]
    return "\n".join(lines) + (f"\nand {len(rows) - EXAMPLES} more" if len(rows) > EXAMPLES else "")


def _more(items: Sized) -> str:
    n = len(items) - EXAMPLES
    return f" and {n} more" if n > 0 else ""
