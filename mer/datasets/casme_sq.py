"""CAS(ME)^2: Qu, Wang, Yan, Li, Wu and Fu, "CAS(ME)^2: A database for spontaneous macro-expression and
micro-expression spotting and recognition", IEEE Transactions on Affective Computing 2018. Long videos.

Frames: `rawpic/s15/15_0101disgustingteeth/img001.jpg`. `CAS(ME)^2code_final.xlsx` has no headers. Columns of the
first tab: number of the person, code (`disgust1_1`, the first expression in the video `disgust1`), onset, apex,
offset, action units, emotion, type, self-report. The second tab maps `s15` to that number, the third tab the video to
the four digits (`0101`) of its folder. An offset of 0 means "not annotated"; the expression then ends at the apex.
"""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from mer.datasets.annotation_sheet import read_table
from mer.datasets.database import Database, Published, numbered_subject
from mer.datasets.frame_folders import Frames, Place
from mer.datasets.tables import Book, SamplesError, read_book

SUBJECT = numbered_subject("s", 2)
_KIND = re.compile(r"(micro|macro)", re.IGNORECASE)


def _identify(parts: tuple[str, ...]) -> Place | None:
    match = re.match(r"(\d+)_(\d{4})", parts[-1])
    if match is None:
        return None
    folder = parts[-2] if len(parts) > 1 and re.fullmatch(r"s\d+", parts[-2]) else match[1]
    return Place(SUBJECT(folder), _name(match[1], match[2]))


def _name(person: str, code: str) -> str:
    return f"{int(person):02d}_{int(code):04d}"


def _rows(sheet: Path | None, root: Path, frames: Frames) -> pd.DataFrame:
    assert sheet is not None
    if sheet.suffix.lower() == ".csv":  # the user's own table, whose clips are folders
        try:
            return read_table(sheet)
        except SamplesError as error:
            raise SamplesError(
                f"{sheet} has one tab, but folders are found by three: give CAS(ME)^2code_final.xlsx, or your own "
                "table with the columns subject, clip (such as 15_0101), onset and label"
            ) from error
    book = read_book(sheet)
    rows, people, videos = _tabs(book, sheet)
    table = pd.DataFrame(rows)
    for column, mapping, what in (("person", people, "second"), ("video", videos, "third")):
        unknown = table[~table[column].isin(list(mapping))]
        if len(unknown):
            row = unknown.iloc[0]
            raise SamplesError(f"{sheet}, row {row['row']}: {row[column]!r} is not in the {what} tab")
    table["subject"] = table["person"].map(people)
    table["clip"] = [_name(people[p].lstrip("s"), videos[v]) for p, v in zip(table["person"], table["video"])]
    return table


def _tabs(book: Book, sheet: Path) -> tuple[list[dict[str, str]], dict[str, str], dict[str, str]]:
    """The expressions, number -> `s15`, and video -> four digits; the content of the cells identifies each tab."""
    rows: list[dict[str, str]] = []
    people: dict[str, str] = {}
    videos: dict[str, str] = {}
    for cells in book.values():
        for number, row in enumerate(cells, start=1):
            filled = [cell for cell in row if cell]
            names = [cell for cell in filled if re.fullmatch(r"s\d+", cell, re.IGNORECASE)]
            digits = [cell for cell in filled if cell.isdigit()]
            words = [cell for cell in filled if re.fullmatch(r"[a-z][a-z ]*\d+", cell, re.IGNORECASE)]
            if len(row) >= 8 and any(_KIND.search(cell) for cell in row[5:]) and row[2].isdigit():
                values = dict(zip(("person", "code", "onset", "apex", "offset", "aus", "label", "kind"), row))
                rows.append({**values, "video": _video(row[1]), "row": str(number)})
            elif names and digits:
                people[digits[0]] = SUBJECT(names[0])
            elif words and digits:
                videos[_video(words[0])] = digits[0].zfill(4)
    if not rows:
        raise SamplesError(f"{sheet} has no rows of expressions; expected the first tab of CAS(ME)^2code_final.xlsx")
    for mapping, what in ((people, "people (s15 beside a number)"), (videos, "videos (a name beside four digits)")):
        if not mapping:
            raise SamplesError(f"{sheet} has no tab of {what}; it is needed to find the folders")
    return rows, people, videos


def _video(code: str) -> str:
    return re.sub(r"_\d+$", "", code.strip().casefold()).replace(" ", "")


CASME_SQ = Database(
    name="casme-sq",
    title="CAS(ME)^2",
    page="http://casme.psych.ac.cn/casme/",
    fps=30,
    subject=SUBJECT,
    identify=_identify,
    layout="rawpic/s15/15_0101disgustingteeth/img001.jpg",
    labels={},
    sheets=(r"cas\(me\)\^?2.*code", r"casme_?sq.*(code|cod)"),
    sheet="CAS(ME)^2code_final.xlsx",
    published=(Published("the paper", {}, 22, clips=57),),
    prefer=("rawpic",),
    rows=_rows,
)
