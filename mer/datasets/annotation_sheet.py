"""Finds annotation sheets (`.xlsx`, `.xls`, `.csv`) near a copy of a database and reads them by their headers.

Real copies differ: blank columns are deleted or not, text precedes the headers, sheets are saved as `.csv`, numbers
become text and back. A column is therefore identified by its header, ignoring case and spaces, never by its position.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from mer.datasets.frame_folders import lower_case
from mer.datasets.samples import BLANKS, SamplesError

SUFFIXES = (".xlsx", ".xls", ".csv")
HEADER_ROWS = 40  # rows that are searched for the headers; SAMM's are in the 14th
# Field -> its headers, the best first, in lower-case letters and digits only.
HEADERS: dict[str, tuple[str, ...]] = {
    "subject": ("subject", "sub", "subid", "subjectid", "subjectno", "participant"),
    "clip": ("filename", "foldname", "clip", "video", "file"),
    "onset": ("onsetframe", "onset", "onsetf"),
    "apex": ("apexframe", "apex", "apexf", "apexf1"),
    "offset": ("offsetframe", "offset", "offsetf"),
    "label": ("estimatedemotion", "emotion", "label", "emotions"),
    "aus": ("actionunits", "actionunit", "aus", "au"),
    "fps": ("fps",),
    "kind": ("expressiontype", "type", "micro"),
    "objective": ("objectiveclasses", "objectiveclass"),
}
REQUIRED = ("subject", "clip", "onset", "label")

Book = dict[str, list[list[str]]]  # name of a tab -> rows of cells, as text


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


def read_book(path: Path) -> Book:
    """All tabs of a workbook, each a list of rows of text; a `.csv` is a workbook with one tab."""
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist; give an annotation sheet (.xlsx, .xls or .csv)")
    is_zip = is_xlsx(path.read_bytes())
    if path.suffix.lower() == ".csv" and not is_zip:
        return {path.stem: _read_csv(path)}
    try:
        tabs = _read_xlsx(path) if is_zip or path.suffix.lower() != ".xls" else _read_xls(path)
    except ImportError as error:
        raise SamplesError(f"{path}: reading .xls needs `pip install xlrd`; or save the sheet as .xlsx") from error
    except Exception as error:  # each of zipfile, xml and xlrd has its own
        raise SamplesError(f"{path} is not a readable workbook ({error}); save it again as .xlsx") from error
    return {name: [[cell_text(cell) for cell in row] for row in rows] for name, rows in tabs.items()}


def is_xlsx(content: bytes) -> bool:
    """Whether the content is that of an `.xlsx`, regardless of the file name."""
    return content.startswith(b"PK\x03\x04")


def _read_xlsx(path: Path) -> dict[str, list[tuple[object, ...]]]:
    from openpyxl import load_workbook

    with path.open("rb") as file:
        return {sheet.title: list(sheet.values) for sheet in load_workbook(file, data_only=True).worksheets}


def _read_xls(path: Path) -> dict[str, list[tuple[object, ...]]]:
    import xlrd

    with xlrd.open_workbook(path, logfile=io.StringIO()) as book:
        return {sheet.name: [tuple(sheet.row_values(i)) for i in range(sheet.nrows)] for sheet in book.sheets()}


def _read_csv(path: Path) -> list[list[str]]:
    data = path.read_bytes()
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))  # Excel's "Unicode text"
    for encoding in ("utf-16",) if wide else ("utf-8-sig", "gb18030"):  # Excel in China saves GB 18030
        try:
            text = data.decode(encoding)
            break
        except UnicodeDecodeError:
            continue
    else:
        raise SamplesError(f"{path} is not text in UTF-8; save it again as .xlsx")
    separator = max(",;\t", key=text.count)
    try:
        return [
            [cell_text(cell) for cell in row]
            for row in csv.reader(io.StringIO(text, newline=None), delimiter=separator)
        ]
    except csv.Error as error:
        raise SamplesError(f"{path} is not a table of separated values ({error}); save it again as .xlsx") from error


def cell_text(cell: object) -> str:
    """A cell as text; whole numbers lose their `.0`, blank cells become the empty string."""
    if cell is None or (isinstance(cell, float) and pd.isna(cell)):
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return re.sub(r"^(\d+)\.0+$", r"\1", str(cell).strip())


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
        Field -> its headers, which override those in :data:`HEADERS`.
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
    for name in sorted(book, key=lambda name: _plain(name) != _plain(tab)):
        rows = book[name]
        for number, cells in enumerate(rows[:HEADER_ROWS]):
            positions = _positions(cells, fields)
            missing = [field for field in required if field not in positions]
            if not missing:
                table = _rows(rows, number, positions)
                _check_blank(table, required, path)
                return table
            if len(required) - len(missing) > nearest[0]:
                nearest = (len(required) - len(missing), missing, [cell for cell in cells if cell])
    wanted = ", ".join(f"{field} ({fields[field][0]})" for field in nearest[1])
    columns = f"its columns are {', '.join(nearest[2])}" if nearest[2] else "no row looks like headers"
    raise SamplesError(f"{path} has no column for {wanted}: {columns}; is it the right sheet?")


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.casefold())


def _positions(cells: list[str], fields: Mapping[str, tuple[str, ...]]) -> dict[str, int]:
    """Field -> index of its column in this row of headers."""
    plain = [_plain(cell) for cell in cells]
    headers = {field: next((name for name in names if name in plain), None) for field, names in fields.items()}
    return {field: plain.index(name) for field, name in headers.items() if name is not None}


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


def frame_number(text: str) -> int | None:
    """A frame number; None for a blank cell (empty, `/`, `-`, `nan`). `ValueError` for anything else."""
    if text.strip().casefold() in BLANKS:
        return None
    match = re.fullmatch(r"(\d+)(?:\.0*)?", text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a frame number")
    return int(match[1])
