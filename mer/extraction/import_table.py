"""The table of a published set of images: headers to columns, rows to samples."""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import pandas as pd

from mer.datasets.annotation_sheet import is_xlsx, read_book
from mer.datasets.identifiers import database_name, subject_name
from mer.datasets.samples import KEY, SamplesError, conform
from mer.extraction.image_names import image_names

# Column of the samples table -> headers, in lower case without blanks and underscores.
HEADERS: dict[str, tuple[str, ...]] = {
    "dataset": ("dataset", "database", "db"),
    "subject": ("sub", "subject", "subid", "subjectid", "person", "participant"),
    "clip": ("filenameo", "clip", "filename", "file", "video", "videoname", "sample"),
    "label": ("label", "emotion", "class", "estimatedemotion"),
    "onset": ("onset", "onsetframe", "onsetf"),
    "apex": ("apex", "apexframe", "apexf"),
    "offset": ("offset", "offsetframe", "offsetf"),
    "fps": ("fps",),
    "aus": ("aus", "au", "actionunits"),
}
REQUIRED = ("subject", "clip", "label")
IMAGES = ("imagename", "image", "subfilename")  # headers of columns that hold the name of the image


def read_table(
    path: str | Path, dataset: str = "", columns: Mapping[str, str] | None = None, warn: Callable[[str], None] = print
) -> tuple[pd.DataFrame, list[list[str]]]:
    """Read the table of a published set of images.

    Every cell is read as text, so that a subject `006` stays `006`; the `.0` that a spreadsheet adds to a number is
    removed. Subjects and databases get their names in `mer`. Equal rows are read once. A list without a header is read
    as `dataset, subject, clip, label`, the format of the MEGC2019 organizers' list.

    Parameters
    ----------
    path : str or Path
        Values separated by commas, semicolons or tabs; or a workbook (`.xlsx`, or `.xls` with the extra `xls`), of
        which the first tab that is not empty is read.
    dataset : str
        The database, if no column names it; by default `images`.
    columns : mapping, optional
        Column of the samples table -> header, for headers that are not in :data:`HEADERS`.
    warn : function
        Receives one line for each harmless irregularity.

    Returns
    -------
    samples : DataFrame
        One row per clip, as a samples table.
    names : list of list of str
        For each row, the names that its image may have, without suffix, the likeliest first.

    Raises
    ------
    SamplesError
        If a column is missing, a row has no subject or no clip, or two rows of one clip differ.
    FileNotFoundError
        If the table does not exist.
    """
    path = Path(path)
    table = _read_cells(path)
    headers = _headers_of(table, path, columns or {})
    raw = _raw_rows(table, headers, path, dataset)
    rows = raw.assign(dataset=raw["dataset"].map(database_name))
    rows["subject"] = [subject_name(*row) for row in rows[["dataset", "subject"]].itertuples(index=False)]
    for name in {"onset", "apex", "offset", "fps"} & set(rows):
        odd = pd.to_numeric(rows[name], errors="coerce").isna() & (rows[name] != "")
        if odd.any():
            warn(
                f"{path}: {odd.sum()} values of {headers[name]!r} are not numbers, such as {rows[name][odd].iloc[0]!r}"
            )
            rows.loc[odd, name] = ""
    image_headers = [header for header in table if _normalize(header) in IMAGES]
    cells = table.loc[raw.index, image_headers].to_numpy().tolist()
    names = [image_names(*row) for row in zip(raw.to_dict("records"), rows["subject"], cells)]
    samples = conform(rows.assign(apex_source=["label" if apex else "" for apex in rows.get("apex", [""] * len(rows))]))
    first = _first_of_each_clip(samples, path, raw.index, warn)
    return samples[first].reset_index(drop=True), [own for own, is_first in zip(names, first) if is_first]


def _read_cells(path: Path) -> pd.DataFrame:
    """All cells as text."""
    content = path.read_bytes()
    if is_xlsx(content) or path.suffix.lower() in (".xlsx", ".xls"):
        return _first_tab(path)
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):  # "Unicode text" in Excel
        content = content.decode("utf-16", errors="replace").encode()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1252", errors="replace")
    first = text.splitlines()[0] if text.strip() else ""
    separator = max(",;\t", key=first.count)
    # The organizers' list has no header: its first row is a clip.
    no_header = first.count(separator) == 3 and database_name(first.split(separator)[0]) in ("casme2", "samm", "smic")
    try:
        return pd.read_csv(
            io.StringIO(text),
            sep=separator,
            dtype=str,
            keep_default_na=False,
            header=None if no_header else "infer",
            names=["dataset", "subject", "clip", "label"] if no_header else None,
            index_col=False,
        )
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise SamplesError(f"{path} is not a table of separated values ({error})") from error


def _first_tab(path: Path) -> pd.DataFrame:
    """The first tab of a workbook that is not empty; its first row is the header."""
    tabs = [[row for row in rows if any(row)] for rows in read_book(path).values()]
    header, *rows = next((rows for rows in tabs if rows), [[]])
    if not header:
        raise SamplesError(f"{path} is empty")
    padded = [[*row, *[""] * len(header)][: len(header)] for row in rows]
    return pd.DataFrame(padded, columns=header, dtype=object)


def _raw_rows(table: pd.DataFrame, headers: Mapping[str, str], path: Path, dataset: str) -> pd.DataFrame:
    """The rows that are not blank, under the names of the samples table, spelled as in the file."""
    raw = pd.DataFrame({name: table[header].str.strip() for name, header in headers.items()})
    raw = raw[(raw != "").any(axis=1)]
    for name in ("subject", "clip"):
        if (raw[name] == "").any():
            raise SamplesError(f"{path}, row {raw.index[raw[name] == ''][0] + 1}: no {name}")
    for name in ("subject", "label"):
        raw[name] = raw[name].str.replace(r"^(\d+)\.0+$", r"\1", regex=True)
    return raw if "dataset" in raw else raw.assign(dataset=dataset or "images")


def _headers_of(table: pd.DataFrame, path: Path, columns: Mapping[str, str]) -> dict[str, str]:
    """Column of the samples table -> header of this table."""
    by_name = {_normalize(header): header for header in reversed(list(table))}  # the first of equal ones wins
    wrong = [header for header in columns.values() if header not in table] + [
        name for name in columns if name not in HEADERS
    ]
    if wrong:
        raise SamplesError(f"{path} has no column {wrong[0]!r}; it has {', '.join(map(str, table))}")
    found = {
        name: by_name[next(spelling for spelling in spellings if spelling in by_name)]
        for name, spellings in HEADERS.items()
        if any(spelling in by_name for spelling in spellings)
    }
    found |= columns
    missing = [name for name in REQUIRED if name not in found]
    if missing:
        raise SamplesError(
            f"{path} has no column for the {missing[0]}; it has {', '.join(map(str, table))}: "
            f"name it, as in --column {missing[0]}=HEADER"
        )
    return found


def _normalize(header: object) -> str:
    """A header in lower case without blanks, underscores and hyphens."""
    return re.sub(r"[\s_-]", "", str(header).casefold())


def _first_of_each_clip(samples: pd.DataFrame, path: Path, lines: pd.Index, warn: Callable[[str], None]) -> list[bool]:
    """Whether each row is the first of its clip; raises `SamplesError` if a later row of the clip differs."""
    rows: dict[tuple[str, ...], int] = {}
    first = []
    for i, row in enumerate(samples.to_dict("records")):
        earlier = rows.setdefault(tuple(str(row[name]) for name in KEY), i)
        first.append(earlier == i)
        if earlier == i:
            continue
        where = f"{path}: rows {lines[earlier] + 1} and {lines[i] + 1}"
        clip = "/".join(row[name] for name in KEY[:3])
        if not samples.iloc[earlier].equals(samples.iloc[i]):
            raise SamplesError(f"{where} are both {clip}, and differ; remove one")
        warn(f"{where} are equal; {clip} is read once")
    return first
