"""The samples table: one row per expression, with the same columns from the annotation sheet to the scores.

==============  =================================================================================================
column          content
==============  =================================================================================================
dataset         name of the database; `videos` for a folder of videos
subject         name of the person, unique within the dataset
clip            name of the clip, unique within the subject
onset           first frame of the expression; numbered from 0 in a file, by file names in a folder of frames
apex, offset    frame of the strongest expression, last frame of the expression
apex_source     `label`, `spotted` or `midpoint`
fps             frames per second
label           the annotated emotion, empty if there is none
aus             the annotated action units, as in the sheet
status          one of :data:`STATUSES`
message         an error or a note, one line
scale           pixels of the crop per interocular distance (between the outer corners of the eyes)
path            the flow file, relative to the table, with forward slashes
==============  =================================================================================================

A row is identified by `(dataset, subject, clip, onset)`: a clip may hold several expressions, and databases share names
of subjects.
"""

from __future__ import annotations

import re
from pathlib import Path, PureWindowsPath

import numpy as np
import pandas as pd

from mer.datasets.tables import SamplesError as SamplesError
from mer.datasets.tables import is_blank, label_text, read_rows, write_csv
from mer.utils.atomic_files import write_whole

COLUMNS = (
    "dataset", "subject", "clip", "onset", "apex", "offset", "apex_source", "fps",
    "label", "aus", "status", "message", "scale", "path",
)  # fmt: skip
HIGHEST = 10**15  # frame number; a larger one is a timestamp or a mistake, and float64 would round it
KEY = ["dataset", "subject", "clip", "onset"]
FRAMES = ("onset", "apex", "offset")
STATUSES = {
    "ok": "the flow was written",
    "no_face": "no face in the onset frame",
    "face_lost": "a face in the onset frame, none in the apex frame",
    "unreadable": "the clip or its flow cannot be read",
    "too_short": "fewer than two frames",
    "missing_frames": "an annotated frame is missing",
    "missing_clip": "an annotated clip is missing",
    "bad_annotation": "the annotation is impossible, such as an apex before the onset",
    "failed": "the flow method failed on this clip",
}


def empty_samples(n: int = 0) -> pd.DataFrame:
    """A samples table of `n` blank rows, with the right column types."""
    return conform(pd.DataFrame(index=range(n)))


def conform(table: pd.DataFrame) -> pd.DataFrame:
    """The table with exactly :data:`COLUMNS`, in this order and with the right types; missing columns are blank.

    Frame numbers become nullable integers, `fps` and `scale` floats, everything else text (a subject `006` stays
    `006`; a label `1.0` becomes `1`, `?` becomes blank). `SamplesError` names the first value of another type.
    """
    out = pd.DataFrame(index=pd.RangeIndex(len(table)))
    for column in COLUMNS:
        values = (
            table[column].reset_index(drop=True) if column in table else pd.Series([None] * len(table), dtype=object)
        )
        if column in FRAMES or column in ("fps", "scale"):
            out[column] = _numbers(values, column)
        else:
            out[column] = values.map(lambda value: "" if pd.isna(value) else readable(value).strip()).astype(object)
    out["label"] = out["label"].map(label_text).astype(object)
    return out


def readable(value: object) -> str:
    """The value as text that can be encoded: bytes of file names that are not UTF-8 become replacement characters."""
    return re.sub("[\ud800-\udfff]", "\N{REPLACEMENT CHARACTER}", str(value))


def parse_numbers(values: pd.Series, column: str) -> tuple[pd.Series, pd.Series]:
    """The cells of a column of numbers as floats, NaN if not annotated, and a mask of the cells that are not valid.

    Decimal commas are read. A frame number is a whole number, not negative.
    """
    if column == "scale":
        blank = values.map(lambda value: pd.isna(value) or str(value).strip() == "").astype(bool)
    else:
        blank = values.map(lambda value: is_blank(value, column)).astype(bool)
    cells = values.where(~blank).map(
        lambda cell: re.sub(r"^([+-]?\d+),(\d+)$", r"\1.\2", cell.strip()) if isinstance(cell, str) else cell
    )
    numbers = pd.to_numeric(cells, errors="coerce").astype("float64")
    invalid = numbers.isna() & ~blank
    if column in FRAMES:
        invalid |= numbers.notna() & ((numbers % 1 != 0) | (numbers < 0) | (numbers > HIGHEST))
    return numbers, invalid


def _numbers(values: pd.Series, column: str) -> pd.Series:
    numbers, invalid = parse_numbers(values, column)
    if invalid.any():
        row = int(invalid.to_numpy().argmax())
        kind = "a frame number" if column in FRAMES else "a number"
        raise SamplesError(
            f"column {column!r}, row {row + 1}: {values.iloc[row]!r} is not {kind}; leave it blank if unknown"
        )
    return numbers.astype("Int64" if column in FRAMES else "float64")


def read_samples(path: str | Path) -> pd.DataFrame:
    """Read a `samples.csv`, given its path or its folder; `SamplesError` if it is not a samples table.

    The table may come from another system or another person: backslashes in `path` become slashes, `status` becomes
    lower case, and a row whose `path` is outside the folder or whose `scale` is not positive becomes `unreadable`.
    """
    path = Path(path)
    folder = path.parent if path.suffix.lower() == ".csv" else path  # which may not exist
    path = path / "samples.csv" if path.is_dir() else path
    if not path.exists():
        if folder.is_dir() and any(folder.iterdir()):
            raise SamplesError(
                f"{folder} is not a flow folder: it has no {path.name}; `mer extract-flow VIDEOS --out flows` makes one"
            )
        raise SamplesError(f"{path} does not exist; `mer extract-flow VIDEOS --out {folder}` makes it")
    header, rows = read_rows(path)
    table = pd.DataFrame([row for _, row in rows], columns=header, dtype=object)
    missing = [column for column in ("dataset", "subject", "clip", "status", "path") if column not in table]
    if missing:
        raise SamplesError(f"{path} has no column {', '.join(missing)}")
    table = conform(table)
    table["path"] = table["path"].str.replace("\\", "/", regex=False)  # no flow file has a backslash in its name
    table["status"] = table["status"].str.lower()
    scale = table["scale"]
    for faulty, message in (
        (table["path"].map(_is_outside).astype(bool), table["path"] + " is outside the folder"),
        ((scale <= 0) | np.isinf(scale), "scale " + scale.astype(str) + " is not positive; leave it blank if unknown"),
    ):
        rows = faulty & (table["status"] == "ok")
        table.loc[rows, "message"] = message
        table.loc[rows, "status"] = "unreadable"
    return table


def _is_outside(path: str) -> bool:
    """Whether a path in a table is absolute or contains `..`, on any system."""
    windows = PureWindowsPath(path)  # handles both slashes, and drives
    return windows.anchor != "" or ".." in windows.parts


def write_samples(table: pd.DataFrame, path: str | Path) -> None:
    """Write the table as `samples.csv`, atomically."""
    with write_whole(path) as file:
        write_csv(conform(table), file)
