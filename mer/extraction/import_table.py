"""The table of a published set of images: headers to columns, rows to samples."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pandas as pd

from mer.datasets import columns as headers_of_tables
from mer.datasets.columns import find_columns, normalize, refuse_times, suggest
from mer.datasets.identifiers import database_name, subject_name
from mer.datasets.samples import FRAMES, KEY, conform, parse_numbers
from mer.datasets.tables import BLANKS, SamplesError, cell_text, read_rows
from mer.extraction.image_names import image_names

# Column of the samples table -> headers, the best first.
HEADERS: dict[str, tuple[str, ...]] = {
    "dataset": ("dataset", "database", "db"),
    **{name: headers_of_tables.HEADERS[name] for name in ("subject", "onset", "apex", "offset", "fps", "aus")},
    "clip": ("filenameo", "clip", "filename", "file", "video", "videoname", "sample"),
    "label": ("label", "emotion", "class", "estimatedemotion"),
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
        See :mod:`mer.datasets.tables`; of a workbook, the first tab that is not empty is read.
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
    for name in (name for name in (*FRAMES, "fps") if name in rows):
        numbers, invalid = parse_numbers(rows[name], name)
        odd = invalid | ((rows[name] != "") & rows[name].isin(BLANKS))
        if odd.any():
            warn(
                f"{path}: {odd.sum()} values of {headers[name]!r} are not numbers, such as {rows[name][odd].iloc[0]!r}"
            )
        rows.loc[numbers.isna() | invalid, name] = ""
    image_headers = [header for header in table if normalize(header) in IMAGES]
    cells = table.loc[raw.index, image_headers].to_numpy().tolist()
    names = [image_names(*row) for row in zip(raw.to_dict("records"), rows["subject"], cells)]
    samples = conform(rows.assign(apex_source=["label" if apex else "" for apex in rows.get("apex", [""] * len(rows))]))
    first = _first_of_each_clip(samples, path, raw.index, warn)
    return samples[first].reset_index(drop=True), [own for own, is_first in zip(names, first) if is_first]


def _read_cells(path: Path) -> pd.DataFrame:
    """All cells as text; the index is the number of the row, counted from 0 below the headers."""
    header, rows = read_rows(path)
    if len(header) == 4 and database_name(header[0]) in ("casme2", "samm", "smic"):
        # The organizers' list has no header: its first row is a clip.
        header, rows = ["dataset", "subject", "clip", "label"], [(1, header), *((n + 1, row) for n, row in rows)]
    header = [f"{cell}.{i}" if cell in header[:i] else cell for i, cell in enumerate(header)]
    return pd.DataFrame([row for _, row in rows], columns=header, index=[n - 2 for n, _ in rows], dtype=object)


def _raw_rows(table: pd.DataFrame, headers: Mapping[str, str], path: Path, dataset: str) -> pd.DataFrame:
    """The rows that are not blank, under the names of the samples table, spelled as in the file."""
    raw = pd.DataFrame({name: table[header].str.strip() for name, header in headers.items()})
    raw = raw[(raw != "").any(axis=1)]
    for name in ("subject", "clip"):
        if (raw[name] == "").any():
            raise SamplesError(f"{path}, row {raw.index[raw[name] == ''][0] + 1}: no {name}")
    for name in ("subject", "label"):
        raw[name] = raw[name].map(cell_text)
    return raw if "dataset" in raw else raw.assign(dataset=dataset or "images")


def _headers_of(table: pd.DataFrame, path: Path, columns: Mapping[str, str]) -> dict[str, str]:
    """Column of the samples table -> header of this table."""
    wrong = [header for header in columns.values() if header not in table] + [
        name for name in columns if name not in HEADERS
    ]
    if wrong:
        raise SamplesError(f"{path} has no column {wrong[0]!r}; it has {', '.join(map(str, table))}")
    found = {name: table.columns[i] for name, i in find_columns(list(table), HEADERS).items()}
    found |= columns
    refuse_times(path, list(table), {name: list(table).index(header) for name, header in found.items()})
    missing = [name for name in REQUIRED if name not in found]
    if missing:
        meant = next((f"; did you mean {cell!r}?" for cell in suggest(table, missing[:1])), "")
        raise SamplesError(
            f"{path} has no column for the {missing[0]}; it has {', '.join(map(str, table))}: "
            f"name it, as in --column {missing[0]}=HEADER{meant}"
        )
    return found


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
