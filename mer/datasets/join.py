"""Rows of a sheet joined to folders of frames: the samples table, with what is wrong in `status` and `message`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mer.datasets.database import Database
from mer.datasets.sheet import frame_number
from mer.datasets.tree import Frames, Place
from mer.samples import FRAMES, KEY, conform
from mer.video import ClipError, frame_files


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
        owner = database.owner(row["clip"])
        if owner is not None and owner != row["subject"]:
            message = f"row {row['row']} names {row['subject']}, but the clip is named after {owner}"
            sample |= {"status": "bad_annotation", "message": message}
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
    """Fill in what the frames tell, and the status and message of one row."""
    if isinstance(numbers, str):
        sample |= {"status": "unreadable", "message": numbers}
        return
    notes = []
    onset, apex, offset = (sample[name] for name in FRAMES)
    if onset is None:
        sample |= {"status": "bad_annotation", "message": "the sheet gives no onset"}
        return
    if not offset:  # 0 or blank: not marked
        offset = apex
        notes += [f"no offset in the sheet: it ends with the apex, frame {apex}"] if apex is not None else []
    if offset is not None and offset < onset:
        message = f"the offset, frame {offset}, is before the onset, frame {onset}"
        sample |= {"status": "bad_annotation", "message": message}
        return
    if apex is not None and not (onset < apex and (offset is None or apex <= offset)):
        notes.append(f"the labeled apex {apex} is not after onset {onset} and up to offset {offset}: to be spotted")
        apex = None
        offset = None if offset == onset else offset
    absent = []
    used: dict[str, int | None] = {}
    for name, wanted in (("onset", onset), ("apex", apex)):
        used[name] = None if wanted is None else _nearest(wanted, numbers, slack)
        if wanted is not None and used[name] is None:
            absent.append(f"the {name}, frame {wanted}")
        elif used[name] != wanted:
            notes.append(f"the {name}, frame {wanted}, is not there: frame {used[name]} was taken")
    key = (sample["subject"], sample["clip"].casefold(), str(used["onset"]))
    if absent or (used["onset"] != onset and key in taken):
        there = f"its {len(numbers)} frames are {numbers[0]} to {numbers[-1]}"
        what = " and ".join(absent) or f"the onset, frame {onset}"
        sample |= {"status": "missing_frames", "message": f"{what}, is not there; {there}"}
        return
    taken.add(key)
    if used["apex"] is not None and used["onset"] is not None and used["apex"] <= used["onset"]:
        used["apex"] = None
        notes.append("no frame is left between onset and apex: the apex is to be spotted")
    if offset is not None:
        holes = offset - onset + 1 - int(((numbers >= onset) & (numbers <= offset)).sum())
        notes += [f"{holes} of {offset - onset + 1} frames from onset to offset are missing"] if holes else []
    sample |= {**used, "offset": offset, "message": "; ".join(notes)}


def _nearest(wanted: int, numbers: np.ndarray, slack: int) -> int | None:
    nearest = int(numbers[np.abs(numbers - wanted).argmin()])
    return nearest if abs(nearest - wanted) <= slack else None
