"""Rows of a sheet joined to folders of frames: the samples table, with what is wrong in `status` and `message`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mer.datasets.annotation_sheet import frame_number
from mer.datasets.database import Database
from mer.datasets.frame_folders import Frames, Place
from mer.datasets.samples import FRAMES, KEY, conform
from mer.datasets.video import ClipError, frame_files

LONGEST = 0.5  # seconds that a micro-expression lasts, by the usual definition


def join(rows: pd.DataFrame, database: Database, frames: Frames) -> pd.DataFrame:
    """The samples table of these rows, ordered by its key, with the column `source`; nothing is decoded."""
    numbers: dict[Path, np.ndarray | str] = {}
    # A frame that stands in for a missing onset must not be the onset of another expression: rows are known by it.
    taken = {(row["subject"], row["clip"].casefold(), row["onset"]) for row in rows.to_dict("records")}
    out = []
    for row in rows.to_dict("records"):
        sample: dict[str, Any] = {
            "dataset": database.name,
            "subject": row["subject"],
            "clip": row["clip"],
            "label": row["label"],
            "aus": row["aus"],
            "fps": row["fps"] or database.fps,
            "status": "",
            "source": "",
        }
        folder, sample["message"] = _folder(row, database, frames)
        try:
            sample |= {name: frame_number(row[name]) for name in FRAMES}
        except ValueError as error:
            sample |= {"status": "bad_annotation", "message": f"row {row['row']}: {error}"}
        wrong, owner = row["wrong"], database.owner(row["clip"])
        if owner is not None and owner != row["subject"]:
            wrong = f"row {row['row']} names {row['subject']}, but the clip is named after {owner}"
        if wrong:
            sample |= {"status": "bad_annotation", "message": wrong}
        elif folder is None:
            sample["status"] = sample["status"] or "missing_clip"
        else:
            sample["source"] = str(folder)
            if folder not in numbers:
                numbers[folder] = _numbers(folder)
            if not sample["status"]:
                _check(sample, numbers[folder], database.slack, taken)
        out.append(sample)
    table = pd.DataFrame(out)
    samples = conform(table)
    samples["source"] = table["source"].to_numpy()
    return samples.sort_values(KEY, kind="stable", na_position="first").reset_index(drop=True)


def named_folders(rows: pd.DataFrame, database: Database, frames: Frames) -> set[Path]:
    """The folders that one of these rows is about."""
    return {folder for row in rows.to_dict("records") if (folder := _folder(row, database, frames)[0]) is not None}


def _folder(row: dict[str, Any], database: Database, frames: Frames) -> tuple[Path | None, str]:
    """The folder of a row's frames, or None and why."""
    clip = row["clip"].casefold()
    onset = int(row["onset"]) if row["onset"].isdigit() else None
    for place in (Place(row["subject"], clip, onset), Place(row["subject"], clip)):
        if place in frames.folders:
            return frames.folders[place], ""
    people = {place.subject for place in frames.folders}
    if row["subject"] not in people:
        return None, f"there is no folder of {row['subject']}, expected {database.layout}"
    elsewhere = [place for place in frames.folders if place.clip == clip]
    if len(elsewhere) == 1:
        return None, f"no such folder under {row['subject']}; {elsewhere[0].subject} has one of that name"
    return None, f"no folder of that name under {row['subject']}"


def _numbers(folder: Path) -> np.ndarray | str:
    """The numbers of the frames, ascending; or what is wrong with the folder."""
    try:
        return np.fromiter(frame_files(folder), np.int64)
    except (ClipError, OSError) as error:
        return str(error)


def _check(sample: dict[str, Any], numbers: np.ndarray | str, slack: int, taken: set[tuple[str, str, str]]) -> None:
    """Fill in the frames to use, and the status and message of one row."""
    if isinstance(numbers, str):
        sample |= {"status": "unreadable", "message": numbers}
        return
    if sample["onset"] is None:
        sample |= {"status": "bad_annotation", "message": "the sheet gives no onset"}
        return
    notes = _mend(sample, int(numbers[-1]))
    onset, apex, offset = (sample[name] for name in FRAMES)
    used = {name: _nearest(sample[name], numbers, slack) for name in ("onset", "apex")}
    absent = [f"{name} {sample[name]}" for name in used if used[name] is None and sample[name] is not None]
    key = (sample["subject"], sample["clip"].casefold(), str(used["onset"]))
    if not absent and used["onset"] != onset and key in taken:
        absent = [f"onset {onset}"]
    if absent:
        message = f"{' and '.join(absent)} not there: its {len(numbers)} frames are {numbers[0]} to {numbers[-1]}"
        sample |= {"status": "missing_frames", "message": message}
        return
    taken.add(key)
    moved = [name for name in used if used[name] != sample[name]]
    notes += [f"{name} {sample[name]} is not there: frame {used[name]} was taken" for name in moved]
    if apex is not None and used["apex"] == used["onset"]:
        used["apex"] = None
        notes.append("no frame is left between onset and apex: to be spotted")
    holes = offset - onset + 1 - int(((numbers >= onset) & (numbers <= offset)).sum())
    notes += [f"{holes} of {offset - onset + 1} frames from onset to offset are missing"] if holes else []
    sample |= {**used, "message": "; ".join(notes)}


def _mend(sample: dict[str, Any], last: int) -> list[str]:
    """Blank an apex that cannot be, and put an end where the sheet gives none; a sentence for each."""
    notes = []
    onset, apex, offset = (sample[name] for name in FRAMES)
    marked = offset is not None and offset > onset
    if offset and not marked:
        notes.append(f"the offset {offset} is not after the onset {onset}")
    if apex is not None and not (onset < apex and (not marked or apex <= offset)):
        until = f" and up to the offset {offset}" if marked else ""
        notes.append(f"the labeled apex {apex} is not after the onset {onset}{until}: to be spotted")
        apex = None
    if not marked and apex is not None:
        offset = apex
        notes.append(f"no offset: it ends with the apex, frame {apex}")
    elif not marked:
        offset = max(min(onset + round(float(sample["fps"]) * LONGEST), last), onset + 1)
        notes.append(f"neither apex nor offset: the apex is looked for up to frame {offset}")
    sample |= {"apex": apex, "offset": offset}
    return notes


def _nearest(wanted: int | None, numbers: np.ndarray, slack: int) -> int | None:
    if wanted is None:
        return None
    nearest = int(numbers[np.abs(numbers - wanted).argmin()])
    return nearest if abs(nearest - wanted) <= slack else None
