"""Annotation sheets: found where their owners put them, read by their headers.

Real copies differ: blank columns deleted or not, rows of text above the header, sheets saved again as `.csv`, numbers
turned into text and back. So a column is known by its header, upper and lower case and spaces aside, never by its
place.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from mer.datasets.samples import BLANKS, SamplesError

SUFFIXES = (".xlsx", ".xls", ".csv")
HEADER_ROWS = 40  # the header is looked for in so many rows; SAMM's is the 14th
# Field -> headers that mean it, the best first, in the form of `_plain`.
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

Book = dict[str, list[list[str]]]  # name of the tab -> rows of cells, as text


def find_sheets(root: Path, patterns: Iterable[str]) -> list[Path]:
    """The files that could be the sheet, best first: those in `root` and two levels below, then those beside and above.

    `patterns` are regular expressions for names, the best first; upper and lower case are the same. What lies in
    `root` belongs to it, whatever better name lies above: there, several copies may stand side by side.
    """
    found: list[Path] = []
    for files in _near(root):
        for pattern in patterns:
            found += [file for file in files if re.search(pattern, file.name, re.IGNORECASE) and file not in found]
    return found


def all_sheets(root: Path) -> list[Path]:
    """Every workbook and table that :func:`find_sheets` looks at, whatever its name, the nearest first."""
    return [file for files in _near(root) for file in files]


def _near(root: Path) -> tuple[list[Path], list[Path]]:
    """The sheets in and below a folder, and those beside and above it."""
    above = (root.absolute().parent, root.absolute().parent.parent)
    inside = [file for depth in ("", "*/", "*/*/") for file in _sheets(root, depth)]
    return inside, [file for folder in above for file in _sheets(folder)]


def _sheets(folder: Path, depth: str = "") -> list[Path]:
    """The sheets of a folder; temporary files of an open workbook (`~$...`) are none."""
    try:
        files = sorted(file for end in ("[xX][lL][sS]*", "[cC][sS][vV]") for file in folder.glob(f"{depth}*.{end}"))
    except OSError:  # a folder above that we may not look into
        return []
    return [f for f in files if f.suffix.lower() in SUFFIXES and not f.name.startswith(("~$", ".")) and f.is_file()]


def read_book(path: Path) -> Book:
    """All tabs of a workbook, each a list of rows of text; a `.csv` is a book with one tab."""
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not there; it should be an annotation sheet (.xlsx, .xls or .csv)")
    is_zip = is_xlsx(path.read_bytes())
    if path.suffix.lower() == ".csv" and not is_zip:
        return {path.stem: _read_csv(path)}
    try:
        tabs = _read_xlsx(path) if is_zip or path.suffix.lower() != ".xls" else _read_xls(path)
    except ImportError as error:
        raise SamplesError(f"{path}: to read .xls, `pip install xlrd`, or save the sheet as .xlsx") from error
    except Exception as error:  # zipfile, xml and xlrd errors: each library has its own
        raise SamplesError(f"{path} is not a readable workbook ({error}); save it again as .xlsx") from error
    return {name: [[cell_text(cell) for cell in row] for row in rows] for name, rows in tabs.items()}


def is_xlsx(content: bytes) -> bool:
    """Whether this is an `.xlsx`, whatever its file is called."""
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
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))  # "Unicode text", as Excel calls it
    for encoding in ("utf-16",) if wide else ("utf-8-sig", "gb18030"):  # Excel in China saves the last
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
    """A cell as text: whole numbers without `.0`, also those that are text already, blanks as ``."""
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
    """The rows of a sheet as text, a column for each field that was found, and `row`, their numbers in the sheet.

    Parameters
    ----------
    path : Path
    headers : mapping, optional
        Field -> headers that mean it, in lower-case letters and digits alone, in the place of those in `HEADERS`.
    required : iterable of str
        Fields that a row has to have to be the header.
    tab : str
        The tab to begin with; the others are tried after it.

    Raises
    ------
    SamplesError
        If no tab has a header with these fields: the message says which column is missing.
    """
    known = {**HEADERS, **(headers or {})}
    required = list(required)
    book = read_book(path)
    nearest: tuple[int, list[str], list[str]] = (0, required, [])
    for name in sorted(book, key=lambda name: _plain(name) != _plain(tab)):
        rows = book[name]
        for number, cells in enumerate(rows[:HEADER_ROWS]):
            places = _places(cells, known)
            missing = [field for field in required if field not in places]
            if not missing:
                table = _rows(rows, number, places)
                _refuse_blank(table, required, path)
                return table
            if len(required) - len(missing) > nearest[0]:
                nearest = (len(required) - len(missing), missing, [cell for cell in cells if cell])
    wanted = ", ".join(f"{field} ({known[field][0]})" for field in nearest[1])
    there = f"its columns are {', '.join(nearest[2])}" if nearest[2] else "no row of it looks like a header"
    raise SamplesError(f"{path} has no column for {wanted}: {there}; is it the right sheet?")


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.casefold())


def _places(cells: list[str], known: Mapping[str, tuple[str, ...]]) -> dict[str, int]:
    """Field -> the column that holds it, in this row of headers."""
    plain = [_plain(cell) for cell in cells]
    found = {}
    for field, names in known.items():
        name = next((name for name in names if name in plain), None)
        if name is not None:
            found[field] = plain.index(name)
    return found


def _rows(rows: list[list[str]], header: int, places: dict[str, int]) -> pd.DataFrame:
    below = rows[header + 1 :]
    columns: dict[str, list[str]] = {
        field: [row[place] if place < len(row) else "" for row in below] for field, place in places.items()
    }
    table = pd.DataFrame(columns, dtype=object)
    table["row"] = range(header + 2, header + 2 + len(below))  # as a spreadsheet counts
    key = [field for field in ("clip", "onset", "objective") if field in table]
    blank = (table[key] == "").all(axis=1)  # no row of data: nothing, or text below the table
    return table[~blank].reset_index(drop=True)


def _refuse_blank(table: pd.DataFrame, required: list[str], path: Path) -> None:
    for field in required:
        if len(table) and (table[field] == "").all():
            raise SamplesError(f"{path}: the column for {field} is blank in all {len(table)} rows; take the original")


def frame_number(text: str) -> int | None:
    """A frame number; None where the sheet has none (``, `/`, `-`, `nan`). `ValueError` for anything else."""
    if text.strip().casefold() in BLANKS:
        return None
    match = re.fullmatch(r"(\d+)(?:\.0*)?", text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a frame number")
    return int(match[1])
