"""The facts of one database: layout, annotation sheet, spelling of people and labels, published counts."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from mer.datasets.annotation_sheet import read_table
from mer.datasets.frame_folders import Frames, Identify


class Published(NamedTuple):
    """Published numbers of one edition of a database.

    Attributes
    ----------
    source : str
        The sheet or publication that gives them.
    labels : mapping
        Label -> number of clips.
    people : int or None
    clips : int or None
        Number of clips, if `labels` is empty.
    unchecked : tuple of str
        Those of `labels`, `clips` and `people` that could not be checked against the owners' files.
    """

    source: str
    labels: Mapping[str, int]
    people: int | None = None
    clips: int | None = None
    unchecked: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        """Number of clips."""
        return self.clips or sum(self.labels.values())


def numbered_subject(prefix: str, digits: int) -> Callable[[str], str]:
    """A function that brings names of people into one form: `prefix` and a number with leading zeros.

    >>> subject = numbered_subject("sub", 2)
    >>> subject("1"), subject("01"), subject("Sub 1"), subject("s01")
    ('sub01', 'sub01', 'sub01', 'sub01')

    It raises `ValueError` for a name of another form.
    """
    prefixes = "|".join(re.escape(word) for word in (prefix.rstrip("."), "subject", "sub", "s") if word)

    def canonical(text: str) -> str:
        match = re.fullmatch(rf"(?:{prefixes})?[\s_.-]*(\d+)", text.strip(), re.IGNORECASE)
        if match is None:
            raise ValueError(f"{text!r} is not the name of a person such as {prefix}{1:0{digits}d}")
        return f"{prefix}{int(match[1]):0{digits}d}"

    return canonical


def subject_in_name(subject: Callable[[str], str], pattern: str) -> Callable[[str], str | None]:
    r"""A function that returns the person in a clip's name, or None if the name does not match.

    `pattern` is a regular expression for the whole name; its first group is passed to `subject`.

    >>> owner = subject_in_name(numbered_subject("S", 2), r"(S\d+)-\d+-\d+")
    >>> owner("S3-01-002"), owner("EP01_12")
    ('S03', None)
    """
    regex = re.compile(pattern, re.IGNORECASE)

    def owner(clip: str) -> str | None:
        match = regex.fullmatch(clip)
        return subject(match[1]) if match else None

    return owner


def rows_of_sheet(sheet: Path | None, root: Path, frames: Frames) -> pd.DataFrame:
    """The rows of a sheet that has one row of headers, which is the usual case."""
    assert sheet is not None
    return read_table(sheet)


@dataclass(frozen=True)
class Database:
    """The facts of one database.

    Attributes
    ----------
    name, title, page : str
        Name on the command line, name in print, and the owners' page; `page` is empty if unknown.
    fps : float
        Frames per second; a column `fps` of the sheet takes precedence.
    subject : function
        Any spelling of a person's name -> the one in the samples table; `ValueError` for anything else.
    identify : function
        The names in a path -> whose frames these are (:mod:`mer.datasets.frame_folders`).
    layout : str
        Example of a path, for messages.
    labels : mapping
        Label in the samples table -> other spellings in the sheets. Protocols rely on these labels.
    sheets : tuple of str
        Regular expressions for the file name of the sheet, the best first; empty if the database has none.
    sheet : str
        The owners' name of the sheet, for messages.
    companion : (str, tuple of str)
        A second sheet that holds the labels: its name, and regular expressions for it; blank if the sheet itself has
        them.
    annotated : tuple of str
        Those of `apex`, `offset` and `aus` that the sheet has.
    published : tuple of Published
        The counts of the known editions of the sheet.
    prefer, skip
        See :func:`mer.datasets.frame_folders.find_frames`.
    rows : function
        `(sheet, root, frames)` -> the rows as text: `subject, clip, onset, label` and other keys of
        :data:`mer.datasets.columns.HEADERS`.
    clip : function
        The clip's name in the sheet -> the one in the samples table, which equals that of the folder.
    owner : function
        The person in a clip's name; None if the name does not contain one.
    slack : int
        A missing frame is replaced by the nearest one that is at most this many frames away.
    """

    name: str
    title: str
    page: str
    fps: float
    subject: Callable[[str], str]
    identify: Identify
    layout: str
    labels: Mapping[str, tuple[str, ...]]
    sheets: tuple[str, ...] = ()
    sheet: str = ""
    companion: tuple[str, tuple[str, ...]] = ("", ())
    annotated: tuple[str, ...] = ("apex", "offset", "aus")
    published: tuple[Published, ...] = ()
    prefer: tuple[str, ...] = ()
    skip: str = ""
    rows: Callable[[Path | None, Path, Frames], pd.DataFrame] = rows_of_sheet
    clip: Callable[[str], str] = str
    owner: Callable[[str], str | None] = field(default=lambda clip: None)
    slack: int = 0
