"""Checks a copy for `mer doctor --dataset`: missing files, odd rows, and counts against the published numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sized
from typing import NamedTuple

import pandas as pd

from mer.datasets.action_units import unknown_codes
from mer.datasets.database import Database, Published
from mer.datasets.local_copy import Copy
from mer.datasets.samples import STATUSES

EXAMPLES = 5  # names in a line before "and 7 more"
KINDS = 8  # kinds of messages that are listed for one status, each with an example
COLUMNS = {"apex": "apexes", "offset": "offsets", "aus": "action units"}


class Finding(NamedTuple):
    """One entry of the report.

    Attributes
    ----------
    state : {"ok", "note", "differs", "WRONG"}
        `note` is odd but harmless, `differs` is a difference from published numbers that could not be verified, `WRONG`
        is a problem that should be fixed.
    what, detail : str
    """

    state: str
    what: str
    detail: str


def check_copy(database: Database, copy: Copy) -> Iterator[Finding]:
    """The entries of the report, the counts last."""
    samples, frames = copy.samples, copy.frames
    yield Finding("ok", "sheet", str(copy.sheet or "none; labels come from the names of folders"))
    yield Finding("ok", "frames", f"{len(frames.folders)} folders in {frames.used}")
    for note in copy.notes:
        yield Finding("note", "reading", note)
    good = samples["status"] == ""
    yield Finding("ok", "clips", f"{int(good.sum())} of {len(samples)} rows can be used")
    for status, meaning in STATUSES.items():
        rows = samples[samples["status"] == status]
        if len(rows):
            yield Finding("WRONG", status, f"{_count(rows, 'row')}: {meaning}\n{_by_kind(rows)}")
    remarks = samples[good & (samples["message"] != "")]
    if len(remarks):
        yield Finding("note", "odd rows", f"{_count(remarks, 'row')}\n{_by_kind(remarks)}")
    yield from _check_columns(database, copy)
    unused = sorted(set(frames.folders.values()) - copy.annotated_folders)
    if unused:
        names = _first(f"{folder.parent.name}/{folder.name}" for folder in unused)
        yield Finding("note", "not in the sheet", f"{_count(unused, 'folder')}: {names}")
    if frames.unknown:
        yield Finding("note", "unknown folders", f"{_count(frames.unknown, 'folder')}: {_first(frames.unknown)}")
    yield from _check_counts(database, samples)


def verdict(database: Database, samples: pd.DataFrame, findings: list[Finding]) -> tuple[bool, str]:
    """Whether the copy is as published, and a sentence that says so."""
    wrong = [finding for finding in findings if finding.state == "WRONG"]
    if wrong:
        return False, f"{_count(wrong, 'problem')} found"
    if any(finding.state == "differs" for finding in findings):
        return False, "the numbers differ from published ones that could not be verified"
    edition = nearest(database, samples)
    doubt = ", but some published numbers could not be verified" if edition and edition.unchecked else ""
    return True, f"as published{doubt}"


def counts(database: Database, samples: pd.DataFrame) -> list[tuple[str, int, str]]:
    """Clips per label: `(label, clips here, clips in the nearest published edition)`; the last is blank if unknown."""
    here = samples["label"].replace("", "(blank)").value_counts()
    edition = nearest(database, samples)
    published: Mapping[str, int] = edition.labels if edition else {}
    labels = [*published, *(label for label in database.labels if label not in published)]
    labels += [label for label in here.index if label not in labels]
    rows = [(label, int(here.get(label, 0)), published.get(label, 0)) for label in labels]
    table = [(label, n, _compare(n, expected) if published else "") for label, n, expected in rows if n or expected]
    return [*table, ("all", len(samples), _compare(len(samples), edition.total) if edition else "")]


def _compare(n: int, expected: int) -> str:
    return str(expected) if n == expected else f"{expected} ({n - expected:+d})"


def nearest(database: Database, samples: pd.DataFrame) -> Published | None:
    """The published edition whose counts are nearest to those of the samples."""
    return min(database.published, key=lambda edition: _distance(edition, samples), default=None)


def _distance(edition: Published, samples: pd.DataFrame) -> int:
    if not edition.labels:
        return abs(edition.total - len(samples))
    here = samples["label"].value_counts()
    labels = {*edition.labels, *here.index}
    return sum(abs(edition.labels.get(label, 0) - int(here.get(label, 0))) for label in labels)


def _check_counts(database: Database, samples: pd.DataFrame) -> Iterator[Finding]:
    """People, clips and labels against the published numbers; verified editions take precedence over the others."""
    people = samples["subject"].nunique()
    edition = nearest(database, samples)
    if edition is None or edition.people is None:
        yield Finding("note", "people", f"{people}; the published number is unknown")
    elif people == edition.people:
        yield Finding("ok", "people", str(people))
    else:
        detail = f"{people}; the published number is {edition.people} ({edition.source})"
        yield _difference("people", detail, "people" not in edition.unchecked)
    editions = database.published
    if editions and all(edition.total != len(samples) for edition in editions):
        verified = any("clips" not in edition.unchecked for edition in editions)
    elif editions and all(_distance(edition, samples) for edition in editions):
        verified = any("labels" not in edition.unchecked for edition in editions)
    else:
        return
    yield _difference("counts", "the numbers below match no known edition of the sheet", verified)


def _difference(what: str, detail: str, verified: bool) -> Finding:
    """A difference from published numbers."""
    state, doubt = ("WRONG", "") if verified else ("differs", "; the published numbers could not be verified")
    return Finding(state, what, detail + doubt)


def _check_columns(database: Database, copy: Copy) -> Iterator[Finding]:
    """Blank and odd cells in the columns of the sheet."""
    samples = copy.samples
    good = samples[samples["status"] == ""]
    for column, problem in copy.blank_columns.items():
        yield Finding("WRONG", COLUMNS[column], f"{problem}; the owners' sheet has them")
    unlabeled = good[good["apex"].isna()]
    if len(unlabeled):
        yield Finding("note", "apex", f"{_count(unlabeled, 'clip')} without an annotated apex, which will be spotted")
    without = samples[samples["aus"] == ""]
    if len(without) and "aus" in database.annotated and "aus" not in copy.blank_columns:
        yield Finding("note", "action units", f"{_count(without, 'row')} without any: {_clips(without)}")
    blank = samples[samples["label"] == ""]
    if len(blank):
        missing = f"\nthey come from {database.companion[0]}, which was not found"
        why = missing if database.companion[0] and copy.companion is None else ""
        yield Finding("WRONG", "labels", f"{_count(blank, 'row')} without any: {_clips(blank)}{why}")
    odd = samples[~samples["label"].isin(["", *database.labels])]
    if database.labels and len(odd):
        names = ", ".join(f"{label} ({n})" for label, n in odd["label"].value_counts().items())
        where = "".join(f"\n{label}: {_clips(rows)}" for label, rows in odd.groupby("label"))
        yield Finding("note", "odd labels", f"{names}; expected {', '.join(database.labels)}{where}")
    unknown = [text for text in sorted(set(samples["aus"])) if unknown_codes(text)]
    if unknown:
        yield Finding("note", "odd units", f"{_count(unknown, 'cell')} with unknown codes: {_first(unknown)}")


def _by_kind(rows: pd.DataFrame) -> str:
    """One line per kind of message, the most frequent first: the number of rows, and one of them."""
    kinds: dict[str, list[str]] = {}
    for row in rows.to_dict("records"):
        for sentence in row["message"].split("; "):
            kind = sentence
            for name in (row["subject"], row["clip"]):  # as whole words: clips of CAS(ME)^3 are called a, b, c
                kind = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", "*", kind) if name else kind
            kind = re.sub(r"'[^']*'|\S*[/\\]\S*|[\d*]+", "*", kind)  # ignores numbers, names and paths
            kinds.setdefault(kind, []).append(f"{row['subject']}/{row['clip']}: {sentence}")
    frequent = sorted(kinds.values(), key=len, reverse=True)
    lines = [f"{len(rows)} rows, such as {rows[0]}" if len(rows) > 1 else rows[0] for rows in frequent[:KINDS]]
    more = sum(map(len, frequent[KINDS:]))
    return "\n".join([*lines, *([f"and {more} other messages"] if more else [])])


def _count(items: Sized, noun: str) -> str:
    return f"{len(items)} {noun}{'' if len(items) == 1 else 's'}"


def _clips(rows: pd.DataFrame) -> str:
    return _first(rows["subject"] + "/" + rows["clip"])


def _first(names: Iterable[str]) -> str:
    """The first names, and the number of further ones."""
    names = list(names)
    more = f" and {len(names) - EXAMPLES} more" if len(names) > EXAMPLES else ""
    return ", ".join(names[:EXAMPLES]) + more
