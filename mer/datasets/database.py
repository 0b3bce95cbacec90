"""What is known of a database: layout, sheet, spelling of labels, published counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from mer.datasets.annotation_sheet import read_table
from mer.datasets.frame_folders import Frames, Identify


class Published(NamedTuple):
    """Numbers that were published of one edition: where, label -> clips, people, clips in all, and which of these
    could not be checked.
    """

    source: str
    labels: Mapping[str, int]
    people: int | None = None
    clips: int | None = None  # where the labels are not published
    unchecked: tuple[str, ...] = ()  # of "labels", "clips", "people"

    @property
    def total(self) -> int:
        """Clips in all."""
        return self.clips or sum(self.labels.values())


def rows_of_sheet(sheet: Path | None, root: Path, frames: Frames) -> pd.DataFrame:
    """The common case: one sheet with a row of headers."""
    assert sheet is not None
    return read_table(sheet)


@dataclass(frozen=True)
class Database:
    """The facts of one database.

    Attributes
    ----------
    name, title, page : str
        As typed, as printed, and where its owners are asked for it; empty where that is not known.
    fps : float
        Frames a second; a column of the sheet goes before it.
    subject : function
        Any form of a person's name -> the one of the samples table; `ValueError` if it is none.
    identify : function
        See :mod:`mer.datasets.frame_folders`.
    layout : str
        What the folders look like, for messages.
    labels : mapping
        Label in the samples table -> other spellings in the sheets. Protocols rely on these.
    sheets : tuple of str
        Regular expressions for the names of the sheet, the best first; empty where the owners give none.
    sheet : str
        The name that the owners give it, for messages.
    companion : (str, tuple of str)
        Another sheet that the labels come from: its name, and regular expressions for it; blank where the sheet itself
        has them.
    annotated : tuple of str
        Which of `apex`, `offset` and `aus` the sheet has.
    published : tuple of Published
        The counts of the known editions of the sheet.
    prefer, skip
        See :func:`mer.datasets.frame_folders.find_frames`.
    rows : function
        `(sheet, root, frames)` -> the rows as text: `subject, clip, onset, label` and more of `mer.datasets.annotation_sheet.HEADERS`.
    clip : function
        The clip's name in the sheet -> the one of the samples table, which the folder's agrees with.
    owner : function
        The person whom a clip's name tells, None where it tells none.
    slack : int
        A frame that is not there is replaced by the nearest at most so many frames away.
    """  # noqa: E501

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
