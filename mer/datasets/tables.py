"""Reads and writes tables: every table of a user is read here, whatever program saved it.

A table is a workbook (`.xlsx`, or `.xls` with the extra `xls`) or text with commas, semicolons or tabs, in UTF-8,
UTF-16, GB 18030 (Excel in China) or Windows-1252 (Excel in Western Europe). pandas guesses neither encoding nor
separator. An encoding that is not certain is never assumed silently.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
import unicodedata
import warnings
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import pandas as pd

SUFFIXES = (".csv", ".tsv", ".txt", ".xlsx", ".xls")
FILE_LIMIT = 64 << 20  # bytes of a file
UNPACKED_LIMIT = 32 << 20  # bytes of XML in a workbook, several hundred thousand cells
CELL_LIMIT = 1_000_000  # cells of a tab, blank ones too

Book = dict[str, list[list[str]]]  # name of a tab -> rows of cells, as text

# Cells that mean "not annotated", for numbers and labels alike.
BLANKS = ("", "/", "\\", "-", "--", "–", "—", "?", ".", "nan", "none", "n/a", "#n/a", "na", "<na>", "null")
NEVER_ZERO = ("apex", "offset", "fps")  # a 0 in these columns means "not annotated", too
_FORMULA = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


class SamplesError(ValueError):
    """A samples table, sheet or label file that cannot be used; the message names the row or column."""


# --- cells ---


def is_blank(cell: object, column: str = "") -> bool:
    """Whether a cell means "not annotated": empty, `/`, `-`, `?`, `nan`, `N/A`, -1, or 0 in :data:`NEVER_ZERO`.

    >>> [is_blank(cell) for cell in ("", " N/A", "-1.0", 0, "0", "x")]
    [True, True, True, False, False, False]
    >>> is_blank(0, "apex")
    True
    """
    if cell is None or cell is pd.NA or cell != cell:
        return True
    text = cell_text(cell).casefold()
    if text in BLANKS or re.fullmatch(r"-1([.,]0*)?", text):
        return True
    return column in NEVER_ZERO and re.fullmatch(r"[+-]?0+([.,]0*)?", text) is not None


def cell_text(cell: object) -> str:
    """A cell as text; whole numbers lose their `.0` or `,0`, blank cells become the empty string."""
    if cell is None or (isinstance(cell, float) and pd.isna(cell)):
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return re.sub(r"^(\d+)[.,]0+$", r"\1", str(cell).strip())


def label_text(cell: object) -> str:
    """A label: `0` and `0.0` are one class, and a cell that means "not annotated" is no class."""
    return "" if is_blank(cell) else cell_text(cell)


def frame_number(text: str, column: str = "onset") -> int | None:
    """A frame number; None if it is not annotated (:func:`is_blank`). `ValueError` for anything else."""
    if is_blank(text, column):
        return None
    match = re.fullmatch(r"(\d+)(?:[.,]0*)?", text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a frame number")
    return int(match[1])


# --- reading ---


def read_book(path: str | Path) -> Book:
    """All tabs of a workbook, each a list of rows of text; a text file is a workbook with one tab.

    Raises
    ------
    FileNotFoundError
        If the file does not exist.
    SamplesError
        If it is not a table, too large, or in an unknown encoding.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist; give a table (.csv, .xlsx or .xls)")
    if path.stat().st_size > FILE_LIMIT:
        raise SamplesError(f"{path} has {path.stat().st_size >> 20} MB, too much for a table; is it the right file?")
    data = path.read_bytes()
    is_zip = data.startswith(b"PK\x03\x04")  # an .xlsx, regardless of its name
    if not is_zip and path.suffix.lower() not in (".xlsx", ".xls"):
        return {path.stem: _read_text(data, path)}
    try:
        tabs = _read_xlsx(data, path) if is_zip or path.suffix.lower() == ".xlsx" else _read_xls(path)
        return {name: [[cell_text(cell) for cell in row] for row in rows] for name, rows in tabs}
    except SamplesError:
        raise
    except ImportError as error:
        raise SamplesError(f"{path}: reading .xls needs `pip install xlrd`; or save the sheet as .xlsx") from error
    except Exception as error:  # each of zipfile, xml and xlrd has its own
        raise SamplesError(
            f"{path} is not a readable workbook and not a table of separated values ({error}); save it again as .xlsx"
        ) from error


def read_rows(path: str | Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The headers of a table, and its rows that are not blank, each with its number as spreadsheets count.

    The table is in the first tab that is not empty. Rows have as many cells as there are headers.
    """
    tabs = [[(n, row) for n, row in enumerate(rows, 1) if any(row)] for rows in read_book(path).values()]
    rows = next((rows for rows in tabs if rows), None)
    if rows is None:
        raise SamplesError(f"{path} is empty, not a table")
    header = rows[0][1]
    while header and not header[-1]:
        header = header[:-1]
    longer = [n for n, row in rows[1:] if any(row[len(header) :])]
    if longer:
        warnings.warn(
            f"{path}: {len(longer)} rows have more cells than headers, such as row {longer[0]}; "
            "cells beyond the headers are ignored",
            pd.errors.ParserWarning,
            stacklevel=2,
        )
    return header, [(n, [*row, *[""] * len(header)][: len(header)]) for n, row in rows[1:]]


def _read_xlsx(data: bytes, path: Path) -> Iterator[tuple[str, list[tuple[object, ...]]]]:
    from openpyxl import load_workbook

    with zipfile.ZipFile(io.BytesIO(data)) as archive:  # zipfile never unpacks more than the sizes listed here
        size = sum(part.file_size for part in archive.infolist() if part.filename.lower().endswith((".xml", ".rels")))
    if size > UNPACKED_LIMIT:
        raise SamplesError(_too_large(path, f"unpacks to {size >> 20} MB"))
    book = load_workbook(io.BytesIO(data), read_only=True, data_only=True)  # row by row, in little memory
    for sheet in book.worksheets:
        sheet.reset_dimensions()  # a sheet may claim millions of rows that it does not have
        rows: list[tuple[object, ...]] = []
        cells = 0
        for row in sheet.iter_rows(values_only=True):
            cells += len(row) + 1
            if cells > CELL_LIMIT:
                raise SamplesError(_too_large(path, f"has more than {CELL_LIMIT} cells"))
            rows.append(row if any(cell is not None for cell in row) else ())
        yield sheet.title, rows


def _too_large(path: Path, size: str) -> str:
    return f"{path} {size}, perhaps blank cells with a format; copy the rows into a new workbook, or save it as .csv"


def _read_xls(path: Path) -> Iterator[tuple[str, list[tuple[object, ...]]]]:
    import xlrd

    with xlrd.open_workbook(path, logfile=io.StringIO()) as book:
        for sheet in book.sheets():
            yield sheet.name, [tuple(sheet.row_values(i)) for i in range(sheet.nrows)]


def _read_text(data: bytes, path: Path) -> list[list[str]]:
    text = _decode(data, path).replace("\r\n", "\n").replace("\r", "\n")
    named = re.match(r"sep=(.)\n", text, re.IGNORECASE)  # Excel's own first line
    if named:
        text = text[named.end() - 1 :]
    separator = named[1] if named else max(",;\t", key=lambda sign: _regularity(text, sign))
    try:
        rows = list(csv.reader(io.StringIO(text), delimiter=separator, skipinitialspace=True, strict=True))
    except csv.Error as error:
        if "unexpected end of data" in str(error):
            raise SamplesError(
                f"{path} is not a table of separated values: a quotation mark is never closed; save it again as .xlsx"
            ) from error
        try:  # text after a closing quotation mark
            rows = list(csv.reader(io.StringIO(text), delimiter=separator, skipinitialspace=True))
        except csv.Error as error:
            raise SamplesError(
                f"{path} is not a table of separated values ({error}); save it again as .xlsx"
            ) from error
    return [[restore(cell.strip()) for cell in row] for row in rows]


def _regularity(text: str, separator: str) -> tuple[int, int]:
    """How many of the first lines have the same number of cells, and that number; larger for the true separator."""
    lines = [line for _, line in zip(range(200), io.StringIO(text)) if line.strip()]
    try:
        widths = Counter(len(row) for row in csv.reader(lines, delimiter=separator) if len(row) > 1)
    except csv.Error:
        return 0, 0
    width, count = max(widths.items(), key=lambda item: (item[1], item[0]), default=(0, 0))
    return count, width


def _decode(data: bytes, path: Path) -> str:
    """The text of a file. Warns of an encoding that was inferred, `SamplesError` if none is likely."""
    for mark, encoding in ((codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"), (b"", "utf-8-sig")):
        if data.startswith(mark):
            try:
                text = data.decode(_utf16(data) or encoding)
                if "\0" in text:
                    raise SamplesError(f"{path} is not a table: it holds binary data")
                return text
            except UnicodeDecodeError:
                continue
    unsure = f"{path} is not in UTF-8, and its encoding is uncertain; save it as .xlsx, or as CSV in UTF-8"
    if b"\0" in data:
        raise SamplesError(f"{path} is not a table: it holds binary data")
    chinese, western = _as_chinese(data), _as_western(data)
    if chinese and western and re.search(rb"[A-Za-z][\x80-\xff]|[\x80-\xff][A-Za-z]", data):
        raise SamplesError(unsure)
    text = chinese or western
    if not text:
        raise SamplesError(unsure)
    example = re.search(r"[\w-]*[^\W\x00-\x7f][\w-]*|[^\x00-\x7f]", text)
    warnings.warn(
        f"{path} is not in UTF-8; it was read as {'GB 18030' if chinese else 'Windows-1252'}, with words such as "
        f"{example[0] if example else ''!r}; save it as CSV in UTF-8 if they are wrong",
        pd.errors.ParserWarning,
        stacklevel=2,
    )
    return text


def _utf16(data: bytes) -> str:
    """The byte order of UTF-16 without a mark, by the zero bytes of its separators and digits; else empty."""
    even, odd = data[::2].count(0), data[1::2].count(0)
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or len(data) % 2 or max(even, odd) * 8 < len(data):
        return ""
    return "utf-16-le" if odd > 8 * even else "utf-16-be" if even > 8 * odd else ""


def _as_chinese(data: bytes) -> str:
    """The text in GB 18030 if most of its characters are common Chinese ones; else empty."""
    try:
        text = data.decode("gb18030")
    except UnicodeDecodeError:
        return ""
    special = [character for character in text if ord(character) > 127]
    common = 0
    for character in special:
        code = character.encode("gb2312", errors="ignore")
        # Punctuation, fullwidth letters, and the 3755 common characters of GB 2312.
        common += bool(code) and (code[0] in (0xA1, 0xA3) or 0xB0 <= code[0] <= 0xD7)
    return text if special and common >= 0.7 * len(special) else ""


def _as_western(data: bytes) -> str:
    """The text in Windows-1252 if its special characters are single letters within words, or signs; else empty."""
    for run in re.finditer(rb"[\x80-\xff]+", data):
        try:
            text = run[0].decode("cp1252")
        except UnicodeDecodeError:
            return ""
        letters = all(unicodedata.category(letter) in ("Lu", "Ll") or letter in "–—‘’“”…€°²³µ·§\xa0" for letter in text)
        beside = data[max(run.start() - 1, 0) : run.start()] + data[run.end() : run.end() + 1]
        if not letters or len(text) > 2 or (len(text) == 2 and not re.search(rb"[A-Za-z]", beside)):
            return ""
    return data.decode("cp1252")


# --- writing ---


def write_csv(table: pd.DataFrame, file: IO[str], index: bool = False) -> None:
    """Write a table as CSV that a spreadsheet does not run: `=`, `+`, `-` or `@` at the start of text gets a `'`.

    Numbers stay numbers. :func:`read_book` and :func:`restored` remove the `'` again.
    """
    safe = table.apply(lambda column: column if column.dtype.kind in "biufM" else column.map(protect))
    safe.columns = table.columns.map(protect)
    safe.index = table.index.map(protect) if index else table.index
    safe.index.names = table.index.names
    safe.to_csv(file, index=index, lineterminator="\n")


def protect(cell: Any) -> Any:
    """The cell, with `'` before text that a spreadsheet would take for a formula.

    >>> [protect(cell) for cell in ("=1+1", "-1.5", "-x", "'=1", "'x", -1.5)]
    ["'=1+1", '-1.5', "'-x", "''=1", "'x", -1.5]
    """
    if isinstance(cell, str) and _FORMULA.match(cell) and not _NUMBER.fullmatch(cell):
        return f"'{cell}"
    return cell


def restore(cell: Any) -> Any:
    """The inverse of :func:`protect`."""
    return cell[1:] if isinstance(cell, str) and cell.startswith("'") and _FORMULA.match(cell) else cell


def restored(table: pd.DataFrame) -> pd.DataFrame:
    """A table that pandas has read, with the cells that were passed to :func:`write_csv`."""
    texts: Iterable[str] = [name for name in table if table[name].dtype.kind not in "biufM"]
    table = table.assign(**{name: table[name].map(restore) for name in texts})
    return table.rename(columns=restore)
