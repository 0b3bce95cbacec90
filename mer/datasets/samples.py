"""The samples table: one row per clip, the same columns from the annotation sheet to the scores.

==============  =================================================================================================
column          content
==============  =================================================================================================
dataset         name of the database; `videos` for a plain folder of videos
subject         name of the person, unique within the dataset
clip            name of the clip, unique within the subject
onset           frame where the expression starts; a file's frames count from 0, a folder's carry their own numbers
apex, offset    frame of the strongest expression, frame where it ends
apex_source     `label`, `spotted` or `midpoint`
fps             frames a second
label           the emotion as annotated, empty where there is none
aus             action units as annotated, the raw text
status          one of :data:`STATUSES`
message         what went wrong, in one line, or a note
scale           pixels of the crop per interocular distance (between the outer corners of the eyes)
path            the flow file, relative to the table, with forward slashes
==============  =================================================================================================

A clip is known by `(dataset, subject, clip, onset)`: one clip may hold several expressions, and names of subjects
repeat between databases.
"""

from __future__ import annotations

import re
from pathlib import Path, PureWindowsPath

import pandas as pd

from mer.utils.atomic_files import write_whole

COLUMNS = (
    "dataset", "subject", "clip", "onset", "apex", "offset", "apex_source", "fps",
    "label", "aus", "status", "message", "scale", "path",
)  # fmt: skip
HIGHEST = 10**15  # of frames; more digits than this are a time or a mistake, and doubles would round them
KEY = ["dataset", "subject", "clip", "onset"]
FRAMES = ("onset", "apex", "offset")
BLANKS = ("", "/", "-", "?", "nan", "none", "n/a", "na", "null")  # what stands for "not annotated" in sheets
STATUSES = {
    "ok": "the flow was written",
    "no_face": "no face in the onset frame",
    "face_lost": "a face in the onset frame, none in the apex frame",
    "unreadable": "the clip or its flow cannot be read",
    "too_short": "fewer than two frames",
    "missing_frames": "a frame that the annotation names is not there",
    "missing_clip": "the annotation names a clip that is not there",
    "bad_annotation": "the row cannot be right, such as an apex before the onset",
    "failed": "the flow method failed on this clip",
}


class SamplesError(ValueError):
    """A samples table or label file that cannot be used; the message says which row or column, and what to do."""


def empty_samples(n: int = 0) -> pd.DataFrame:
    """A samples table of `n` blank rows, with the right column types."""
    return conform(pd.DataFrame(index=range(n)))


def conform(table: pd.DataFrame) -> pd.DataFrame:
    """The table with exactly :data:`COLUMNS`, in order and of the right type; columns that it lacks are blank.

    Frame numbers become nullable integers, `fps` and `scale` floats, everything else text (a subject `006` stays
    `006`). `SamplesError` names the first value that does not fit.
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
    return out


def readable(value: object) -> str:
    """The value as text that can be written anywhere: bytes of a file name that are no UTF-8 become a mark."""
    return re.sub("[\ud800-\udfff]", "\N{REPLACEMENT CHARACTER}", str(value))


def parse_numbers(values: pd.Series, column: str) -> tuple[pd.Series, pd.Series]:
    """The cells of a column of numbers as floats, NaN where blank, and which cells are no such number."""
    blank = values.map(lambda value: pd.isna(value) or str(value).strip() == "").astype(bool)
    numbers = pd.to_numeric(values.where(~blank), errors="coerce").astype("float64")
    wrong = numbers.isna() & ~blank
    if column in FRAMES:
        wrong |= numbers.notna() & ((numbers % 1 != 0) | (numbers.abs() > HIGHEST))
    return numbers, wrong


def _numbers(values: pd.Series, column: str) -> pd.Series:
    numbers, wrong = parse_numbers(values, column)
    if wrong.any():
        row = int(wrong.to_numpy().argmax())
        kind = "a frame number" if column in FRAMES else "a number"
        raise SamplesError(
            f"column {column!r}, row {row + 1}: {values.iloc[row]!r} is not {kind}; leave it blank if unknown"
        )
    return numbers.astype("Int64" if column in FRAMES else "float64")


def read_samples(path: str | Path) -> pd.DataFrame:
    """Read a `samples.csv` (or the folder that holds it); `SamplesError` if it is not one.

    Tables travel: a row whose `path` leads out of the folder is `unreadable`.
    """
    path = Path(path)
    folder = path.parent if path.suffix.lower() == ".csv" else path  # also one that is not there
    path = path / "samples.csv" if path.is_dir() else path
    if not path.exists():
        if folder.is_dir() and any(folder.iterdir()):
            raise SamplesError(
                f"{folder} is no flow folder, since {path.name} is not in it; `mer extract-flow VIDEOS --out flows` "
                "makes one"
            )
        raise SamplesError(f"{path} is not there; `mer extract-flow VIDEOS --out {folder}` makes it")
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise SamplesError(f"{path} is not a table of comma-separated values ({error})") from error
    missing = [column for column in ("dataset", "subject", "clip", "status", "path") if column not in table]
    if missing:
        raise SamplesError(f"{path} has no column {', '.join(missing)}")
    table = conform(table)
    outside = (table["status"] == "ok") & table["path"].map(_leads_out)
    table.loc[outside, "message"] = table["path"] + " leads out of the folder"
    table.loc[outside, "status"] = "unreadable"
    return table


def _leads_out(path: str) -> bool:
    """Whether a path in a table is absolute or climbs, on any system."""
    windows = PureWindowsPath(path)  # knows both slashes, and drives
    return windows.anchor != "" or ".." in windows.parts


def write_samples(table: pd.DataFrame, path: str | Path) -> None:
    """Write the table as `samples.csv`, whole or not at all."""
    with write_whole(path) as file:
        conform(table).to_csv(file, index=False, lineterminator="\n")
