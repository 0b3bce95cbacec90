"""Finds annotation sheets (`.xlsx`, `.xls`, `.csv`) near a copy of a database and reads them by their headers.

Real copies differ: blank columns are deleted or not, text precedes the headers, sheets are saved as `.csv`, numbers
become text and back. A column is therefore identified by its header, never by its position.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from mer.datasets.columns import HEADERS, find_columns, normalize, refuse_times, suggest
from mer.datasets.frame_folders import lower_case
from mer.datasets.tables import SamplesError, cell_text, read_book

SUFFIXES = (".xlsx", ".xls", ".csv")
HEADER_ROWS = 40  # rows that are searched for the headers; SAMM's are in the 14th
REQUIRED = ("subject", "clip", "onset", "label")


def find_sheets(root: Path, patterns: Iterable[str]) -> list[Path]:
    """The files that could be the sheet, the best first.

    Files in `root` and two levels below come before those beside and above it, where other copies may be.
    `patterns` are regular expressions for names in lower case, the best first.
    """
    sheets: list[Path] = []
    for files in _near(root):
        for pattern in patterns:
            sheets += [file for file in files if re.search(pattern, lower_case(file.name)) and file not in sheets]
    return sheets


def all_sheets(root: Path) -> list[Path]:
    """All workbooks and tables in the folders that :func:`find_sheets` searches, the nearest first."""
    return [file for files in _near(root) for file in files]


def _near(root: Path) -> tuple[list[Path], list[Path]]:
    """The sheets in and below a folder; those beside and above it."""
    above = (root.absolute().parent, root.absolute().parent.parent)
    inside = [file for depth in ("", "*/", "*/*/") for file in _sheets(root, depth)]
    return inside, [file for folder in above for file in _sheets(folder)]


def _sheets(folder: Path, depth: str = "") -> list[Path]:
    """The sheets in a folder, without the temporary files of open workbooks (`~$...`)."""
    try:
        files = sorted(file for end in ("[xX][lL][sS]*", "[cC][sS][vV]") for file in folder.glob(f"{depth}*.{end}"))
    except OSError:  # no permission to read a folder above
        return []
    return [f for f in files if f.suffix.lower() in SUFFIXES and not f.name.startswith(("~$", ".")) and f.is_file()]


def read_table(
    path: Path,
    headers: Mapping[str, tuple[str, ...]] | None = None,
    required: Iterable[str] = REQUIRED,
    tab: str = "",
) -> pd.DataFrame:
    """The rows of a sheet as text: a column for each field that it has, and `row`, the number of the row in the sheet.

    Parameters
    ----------
    path : Path
    headers : mapping, optional
        Field -> its headers, which override those in :data:`mer.datasets.columns.HEADERS`.
    required : iterable of str
        Fields that the row of headers must have.
    tab : str
        The tab to try first.

    Raises
    ------
    SamplesError
        If no tab has these fields; the message names the missing column.
    """
    fields = {**HEADERS, **(headers or {})}
    required = list(required)
    book = read_book(path)
    nearest: tuple[int, list[str], list[str]] = (0, required, [])
    for name in sorted(book, key=lambda name: normalize(name) != normalize(tab)):
        rows = [[cell_text(cell) for cell in row] for row in book[name]]
        for number, cells in enumerate(rows[:HEADER_ROWS]):
            positions = find_columns(cells, fields)
            missing = [field for field in required if field not in positions]
            if not missing:
                refuse_times(path, cells, positions)
                table = _rows(rows, number, positions)
                _check_blank(table, required, path)
                return table
            if len(required) - len(missing) > nearest[0]:
                nearest = (len(required) - len(missing), missing, [cell for cell in cells if cell])
    refuse_times(path, nearest[2], find_columns(nearest[2], fields))
    wanted = ", ".join(f"{field} ({fields[field][0]})" for field in nearest[1])
    columns = f"its columns are {', '.join(nearest[2])}" if nearest[2] else "no row looks like headers"
    meant = "".join(f"; did you mean {field} by {cell!r}?" for cell, field in suggest(nearest[2], nearest[1]).items())
    raise SamplesError(f"{path} has no column for {wanted}: {columns}; is it the right sheet?{meant}")


def _rows(rows: list[list[str]], header: int, positions: dict[str, int]) -> pd.DataFrame:
    below = rows[header + 1 :]
    columns: dict[str, list[str]] = {
        field: [row[i] if i < len(row) else "" for row in below] for field, i in positions.items()
    }
    table = pd.DataFrame(columns, dtype=object)
    table["row"] = range(header + 2, header + 2 + len(below))  # as spreadsheets count
    key = [field for field in ("clip", "onset", "objective") if field in table]
    blank = (table[key] == "").all(axis=1)  # an empty row, or text below the table
    return table[~blank].reset_index(drop=True)


def _check_blank(table: pd.DataFrame, required: list[str], path: Path) -> None:
    for field in required:
        if len(table) and (table[field] == "").all():
            raise SamplesError(f"{path}: the column for {field} is blank in all {len(table)} rows; use the original")
