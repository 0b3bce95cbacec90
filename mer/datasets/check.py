"""What `mer doctor --dataset` tells of a copy: found, missing, odd, and the counts beside the published ones."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import pandas as pd

from mer.datasets.action_units import parse_aus
from mer.datasets.database import Database, Published
from mer.datasets.local_copy import Copy
from mer.datasets.samples import STATUSES

EXAMPLES = 5  # names that a line holds before it says how many more there are
KINDS = 8  # kinds of trouble that one status has, each with an example
COLUMNS = {"apex": "apexes", "offset": "offsets", "aus": "action units"}


class Finding(NamedTuple):
    """One line of the check: `ok`, `note` (odd, and harmless), `differs` (from numbers that could not be checked) or
    `WRONG` (to be mended), what, and the detail.
    """

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
            yield Finding("WRONG", status, f"{len(rows)} rows: {meaning}\n{_by_kind(rows)}")
    remarks = samples[good & (samples["message"] != "")]
    if len(remarks):
        yield Finding("note", "odd rows", f"{len(remarks)} rows\n{_by_kind(remarks)}")
    yield from _cells(database, copy)
    unused = sorted(set(frames.folders.values()) - copy.named)
    if unused:
        names = _some(f"{folder.parent.name}/{folder.name}" for folder in unused)
        yield Finding("note", "not in the sheet", f"{len(unused)} folders: {names}")
    if frames.strange:
        yield Finding("note", "unknown folders", f"{len(frames.strange)} folders: {_some(frames.strange)}")
    yield from _numbers(database, samples)


def verdict(database: Database, samples: pd.DataFrame, findings: list[Finding]) -> tuple[bool, str]:
    """Whether the copy is as published, and the sentence that says so."""
    wrong = sum(finding.state == "WRONG" for finding in findings)
    if wrong:
        return False, f"{wrong} things to look at"
    if any(finding.state == "differs" for finding in findings):
        return False, "its numbers are not the published ones, which could not be checked"
    edition = nearest(database, samples)
    doubt = ", by numbers that could not be checked" if edition and edition.unchecked else ""
    return True, f"as published{doubt}"


def counts(database: Database, samples: pd.DataFrame) -> list[tuple[str, int, str]]:
    """`(label, clips here, clips in the published edition that is nearest)`; the last is blank where none is known."""
    found = samples["label"].replace("", "(blank)").value_counts()
    edition = nearest(database, samples)
    published: Mapping[str, int] = edition.labels if edition else {}
    labels = [*published, *(label for label in database.labels if label not in published)]
    labels += [label for label in found.index if label not in labels]
    rows = [(label, int(found.get(label, 0)), published.get(label, 0)) for label in labels]
    table = [(label, n, _beside(n, expected) if published else "") for label, n, expected in rows if n or expected]
    return [*table, ("all", len(samples), _beside(len(samples), edition.total) if edition else "")]


def _beside(n: int, expected: int) -> str:
    return str(expected) if n == expected else f"{expected} ({n - expected:+d})"


def nearest(database: Database, samples: pd.DataFrame) -> Published | None:
    """The edition whose counts are nearest."""
    return min(database.published, key=lambda edition: _distance(edition, samples), default=None)


def _distance(edition: Published, samples: pd.DataFrame) -> int:
    if not edition.labels:
        return abs(edition.total - len(samples))
    found = samples["label"].value_counts()
    labels = {*edition.labels, *found.index}
    return sum(abs(edition.labels.get(label, 0) - int(found.get(label, 0))) for label in labels)


def _numbers(database: Database, samples: pd.DataFrame) -> Iterator[Finding]:
    """Clips, labels and people beside the published ones; an edition that could be checked has the last word."""
    people = samples["subject"].nunique()
    edition = nearest(database, samples)
    if edition is None or edition.people is None:
        yield Finding("note", "people", f"{people}; no published number is known")
    elif people == edition.people:
        yield Finding("ok", "people", str(people))
    else:
        detail = f"{people}; {edition.people} are published ({edition.source})"
        yield _off("people", detail, "people" not in edition.unchecked)
    editions = database.published
    if editions and all(edition.total != len(samples) for edition in editions):
        known = any("clips" not in edition.unchecked for edition in editions)
    elif editions and all(_distance(edition, samples) for edition in editions):
        known = any("labels" not in edition.unchecked for edition in editions)
    else:
        return
    yield _off("counts", "the numbers below are not those of a known edition of the sheet", known)


def _off(what: str, detail: str, checked: bool) -> Finding:
    """Numbers that are not the published ones."""
    state, doubt = ("WRONG", "") if checked else ("differs", "; the published numbers could not be checked")
    return Finding(state, what, detail + doubt)


def _cells(database: Database, copy: Copy) -> Iterator[Finding]:
    """What is blank or odd in the columns of the sheet."""
    samples = copy.samples
    good = samples[samples["status"] == ""]
    for column, trouble in copy.bare.items():
        yield Finding("WRONG", COLUMNS[column], f"{trouble}; the sheet of the owners has them")
    spotted = int(good["apex"].isna().sum())
    if spotted:
        yield Finding("note", "apex", f"{spotted} clips have none that is annotated: it is to be spotted")
    without = samples[samples["aus"] == ""]
    if len(without) and "aus" in database.annotated and "aus" not in copy.bare:
        yield Finding("note", "action units", f"{len(without)} rows have none: {_places(without)}")
    blank = samples[samples["label"] == ""]
    if len(blank):
        lost = f"\nthey come from {database.companion[0]}, which is not there"
        why = lost if database.companion[0] and copy.companion is None else ""
        yield Finding("WRONG", "labels", f"{len(blank)} rows have none: {_places(blank)}{why}")
    strange = samples[~samples["label"].isin(["", *database.labels])]
    if database.labels and len(strange):
        names = ", ".join(f"{label} ({n})" for label, n in strange["label"].value_counts().items())
        where = "".join(
            f"\n{label}: {_places(strange[strange['label'] == label])}" for label in sorted(set(strange["label"]))
        )
        yield Finding("note", "odd labels", f"{names}; expected {', '.join(database.labels)}{where}")
    unread = [text for text in sorted(set(samples["aus"])) if parse_aus(text)[1]]
    if unread:
        yield Finding("note", "odd units", f"{len(unread)} cells hold more than action units: {_some(unread)}")


def _by_kind(rows: pd.DataFrame) -> str:
    """A line for each kind of message, the commonest first: how many rows have it, and one of them."""
    kinds: dict[str, list[str]] = {}
    for row in rows.to_dict("records"):
        place = f"{row['subject']}/{row['clip']}"
        for sentence in row["message"].split("; "):
            bare = sentence
            for name in (row["subject"], row["clip"]):  # as whole words: clips of CAS(ME)^3 are called a, b, c
                bare = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", "*", bare) if name else bare
            kind = re.sub(r"'[^']*'|\S*[/\\]\S*|[\d*]+", "*", bare)  # numbers, names and paths aside
            kinds.setdefault(kind, []).append(f"{place}: {sentence}")
    often = sorted(kinds.values(), key=len, reverse=True)
    lines = [f"{len(named)} such as {named[0]}" if len(named) > 1 else named[0] for named in often[:KINDS]]
    more = sum(map(len, often[KINDS:]))
    return "\n".join([*lines, *([f"and {more} of other kinds"] if more else [])])


def _places(rows: pd.DataFrame) -> str:
    return _some(rows["subject"] + "/" + rows["clip"])


def _some(names: Iterable[str]) -> str:
    """The first names, and how many more there are."""
    names = list(names)
    more = f" and {len(names) - EXAMPLES} more" if len(names) > EXAMPLES else ""
    return ", ".join(names[:EXAMPLES]) + more
