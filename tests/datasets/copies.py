"""Invented copies of databases: folders of empty pictures, and sheets in the owners' layout."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from openpyxl import Workbook

CASME2_HEADER = ["Subject", "Filename", None, "OnsetFrame", "ApexFrame", "OffsetFrame", None, "Action Units",
                 "Estimated Emotion"]  # fmt: skip
SAMM_HEADER = ["Subject", "Filename", "Inducement Code", "Onset Frame", "Apex Frame", "Offset Frame", "Duration",
               "Micro", "Action Units", "Estimated Emotion", "Objective Classes", "Notes"]  # fmt: skip
CASME3_HEADER = ["Subject", "Filename", "Onset", "Apex", "Offset", "AU", "Objective class", "emotion"]
# subject, clip, onset, apex, offset, aus, label
CASME2_ROWS = [
    (1, "EP02_01f", 46, 59, 86, 12, "happiness"),
    (1, "EP19_05f", 96, 101, 104, "4+7+L10", "disgust"),
    (4, "EP12_01f", 261, "/", 321, "4+5", "disgust"),
    (5, "EP09_05f", 69, 69, 123, "R2+15", "repression"),
    (5, "EP16_04f", 141, 181, 181, "?", "Others"),
]
CASME2_CLEAN = [cell for cell in CASME2_HEADER if cell]
# subject, clip, onset, apex, offset, aus, label, objective
SAMM_ROWS = [
    ("006", "006_1_2", 562, 588, 602, "4+7C ", "Anger", "III"),
    ("010", "010_2_1", 192, 206, 228, "(R6 or R12)+R15", "Others", "VII"),
    ("020", "020_4_2", 148, 151, 152, "4D+ref(6)+7C+43E", "Happiness", "I"),
]


def frames(folder: Path, numbers: Iterable[int], name: str = "img{}.jpg") -> Path:
    """A folder of empty pictures with these numbers."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        (folder / name.format(number)).touch()
    return folder


def book(path: Path, **tabs: Sequence[Sequence[Any]]) -> Path:
    """A workbook with these tabs, each a list of rows of cells."""
    path.parent.mkdir(parents=True, exist_ok=True)
    workbook = Workbook()
    workbook.remove(workbook.active)
    for name, rows in tabs.items():
        sheet = workbook.create_sheet(name)
        for row in rows:
            sheet.append(list(row))
    workbook.save(path)
    return path


def casme2(root: Path, rows: Sequence[Sequence[Any]], header: Sequence[Any] = CASME2_HEADER) -> Path:
    """CASME II: a sheet of rows `(subject, clip, onset, apex, offset, aus, label)`, and their frames."""
    blank = header == CASME2_HEADER
    cells = [[s, c, None, on, ap, off, None, au, la] if blank else [s, c, on, ap, off, au, la]
             for s, c, on, ap, off, au, la in rows]  # fmt: skip
    book(root / "CASME2-coding-20140508.xlsx", Sheet1=[header, *cells])
    for subject, clip, onset, _, offset, *_ in rows:
        person = int(str(subject).removeprefix("sub"))
        frames(root / "CASME2_RAW_selected" / f"sub{person:02d}" / clip, range(int(onset), int(offset) + 1))
    return root


def samm(root: Path, rows: Sequence[Sequence[Any]]) -> Path:
    """SAMM: a sheet of rows `(subject, clip, onset, apex, offset, aus, label, objective)`, and their frames."""
    cells = [[s, c, 1, on, ap, off, off - on + 1, "Micro - 1/2", au, la, ob, None]
             for s, c, on, ap, off, au, la, ob in rows]  # fmt: skip
    text = [[f"remark {i}"] for i in range(13)]
    book(root / "SAMM_Micro_FACS_Codes_v2.xlsx", MICRO_ONLY=[*text, SAMM_HEADER, *cells])
    for subject, clip, onset, _, offset, *_ in rows:
        person = f"{int(subject):03d}"
        frames(root / "SAMM" / person / clip, range(onset, offset + 1), f"{person}_{{:05d}}.jpg")
    return root


def casme3(root: Path, rows: Sequence[Sequence[Any]], numbers: Iterable[int] = range(8, 400)) -> Path:
    """CAS(ME)^3, part A: a sheet of text cells, `(subject, clip, onset, apex, offset, aus, objective, label)`."""
    cells = [[str(cell) for cell in row] for row in rows]
    book(root / "cas(me)3_part_A_ME_label_JpgIndex_v2.xlsx", label=[CASME3_HEADER, *cells])
    numbers = list(numbers)
    for subject, clip, *_ in rows:
        frames(root / "part_A" / subject / str(clip).lower() / "color", numbers, "{}.jpg")
        frames(root / "part_A" / subject / str(clip).lower() / "depth", numbers, "{}.png")
    return root
