"""Joins the rows of a sheet to folders of frames: the samples table, with problems in `status` and `message`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mer.datasets.database import Database
from mer.datasets.frame_folders import Frames, Place
from mer.datasets.samples import FRAMES, KEY, conform
from mer.datasets.tables import frame_number
from mer.datasets.video import ClipError, frame_files

LONGEST = 0.5  # seconds; the usual upper limit of a micro-expression


def join(rows: pd.DataFrame, database: Database, frames: Frames) -> pd.DataFrame:
    """The samples table of these rows, sorted by its key, with a column `source`; no frame is decoded."""
    numbers: dict[Path, np.ndarray | str] = {}
    # A frame that replaces a missing onset must not be the onset of another expression, since onsets identify rows.
    onsets = {(row["subject"], row["clip"].casefold(), row["onset"]) for row in rows.to_dict("records")}
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
            sample |= {name: frame_number(row[name], name) for name in FRAMES}
        except ValueError as error:
            sample |= {"status": "bad_annotation", "message": f"row {row['row']}: {error}"}
        wrong, owner = row["wrong"], database.owner(row["clip"])
        if owner is not None and owner != row["subject"]:
            wrong = f"row {row['row']} has the subject {row['subject']}, but the clip's name contains {owner}"
        if wrong:
            sample |= {"status": "bad_annotation", "message": wrong}
        elif folder is None:
            sample["status"] = sample["status"] or "missing_clip"
        else:
            sample["source"] = str(folder)
            if folder not in numbers:
                numbers[folder] = _numbers(folder)
            if not sample["status"]:
                _choose_frames(sample, numbers[folder], database.slack, onsets)
        out.append(sample)
    table = pd.DataFrame(out)
    samples = conform(table)
    samples["source"] = table["source"].to_numpy()
    return samples.sort_values(KEY, kind="stable", na_position="first").reset_index(drop=True)


def folders_of(rows: pd.DataFrame, database: Database, frames: Frames) -> set[Path]:
    """The folders of frames that these rows annotate."""
    return {folder for row in rows.to_dict("records") if (folder := _folder(row, database, frames)[0]) is not None}


def _folder(row: dict[str, Any], database: Database, frames: Frames) -> tuple[Path | None, str]:
    """The folder of a row's frames, or None and the reason."""
    clip = row["clip"].casefold()
    onset = int(row["onset"]) if row["onset"].isdigit() else None
    for place in (Place(row["subject"], clip, onset), Place(row["subject"], clip)):
        if place in frames.folders:
            return frames.folders[place], ""
    people = {place.subject for place in frames.folders}
    if row["subject"] not in people:
        return None, f"no folder of {row['subject']}, expected {database.layout}"
    elsewhere = [place for place in frames.folders if place.clip == clip]
    if len(elsewhere) == 1:
        return None, f"no such folder under {row['subject']}, but there is one under {elsewhere[0].subject}"
    return None, f"no such folder under {row['subject']}"


def _numbers(folder: Path) -> np.ndarray | str:
    """The frame numbers in a folder, ascending, or an error message."""
    try:
        return np.fromiter(frame_files(folder), np.int64)
    except (ClipError, OSError) as error:
        return str(error)


def _choose_frames(
    sample: dict[str, Any], numbers: np.ndarray | str, slack: int, onsets: set[tuple[str, str, str]]
) -> None:
    """Set the frames, status and message of a row. `numbers` are those of its frames; `onsets` are in use already."""
    if isinstance(numbers, str):
        sample |= {"status": "unreadable", "message": numbers}
        return
    if sample["onset"] is None:
        sample |= {"status": "bad_annotation", "message": "the sheet gives no onset"}
        return
    notes = _repair(sample, int(numbers[-1]))
    onset, apex, offset = (sample[name] for name in FRAMES)
    used = {name: _nearest(sample[name], numbers, slack) for name in ("onset", "apex")}
    missing = [f"{name} {sample[name]}" for name in used if used[name] is None and sample[name] is not None]
    key = (sample["subject"], sample["clip"].casefold(), str(used["onset"]))
    if not missing and used["onset"] != onset and key in onsets:
        missing = [f"onset {onset}"]
    if missing:
        message = f"{' and '.join(missing)} missing: the {len(numbers)} frames are {numbers[0]} to {numbers[-1]}"
        sample |= {"status": "missing_frames", "message": message}
        return
    onsets.add(key)
    replaced = [name for name in used if used[name] != sample[name]]
    notes += [f"{name} {sample[name]} is missing, frame {used[name]} is used instead" for name in replaced]
    if apex is not None and used["apex"] == used["onset"]:
        used["apex"] = None
        notes.append("no frame is left between onset and apex, so the apex will be spotted")
    gaps = offset - onset + 1 - int(((numbers >= onset) & (numbers <= offset)).sum())
    notes += [f"{gaps} of {offset - onset + 1} frames from onset to offset are missing"] if gaps else []
    sample |= {**used, "message": "; ".join(notes)}


def _repair(sample: dict[str, Any], last: int) -> list[str]:
    """Remove an impossible apex, add a missing offset; returns a note on each change, without semicolons."""
    notes = []
    onset, apex, offset = (sample[name] for name in FRAMES)
    has_offset = offset is not None and offset > onset
    if offset and not has_offset:
        notes.append(f"the offset {offset} is not after the onset {onset}")
    if apex is not None and not (onset < apex and (not has_offset or apex <= offset)):
        end = f" and the offset {offset}" if has_offset else ""
        position = "between" if has_offset else "after"
        notes.append(f"the labeled apex {apex} is not {position} the onset {onset}{end}, so it will be spotted")
        apex = None
    if not has_offset and apex is not None:
        offset = apex
        notes.append(f"no offset, so the expression ends at the apex, frame {apex}")
    elif not has_offset:
        offset = max(min(onset + round(float(sample["fps"]) * LONGEST), last), onset + 1)
        notes.append(f"neither apex nor offset, so the apex is searched up to frame {offset}")
    sample |= {"apex": apex, "offset": offset}
    return notes


def _nearest(wanted: int | None, numbers: np.ndarray, slack: int) -> int | None:
    if wanted is None:
        return None
    nearest = int(numbers[np.abs(numbers - wanted).argmin()])
    return nearest if abs(nearest - wanted) <= slack else None
