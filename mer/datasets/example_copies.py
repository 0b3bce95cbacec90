"""Writes a folder of videos in the layout of CASME II, SAMM or SMIC, to try out commands without a license.

The frames are those of the videos; names, numbers and sheets are invented in the form of the databases, including their
oddities. No data of the databases is used.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mer.datasets.video import Clip, open_clip
from mer.datasets.video_folder import list_clips
from mer.utils.atomic_files import write_whole

NOTE = "Not the database: other clips in its layout. Scores on them say nothing about the database."
# Label of the videos -> labels of the database, used in turn.
EMOTIONS = {
    "casme2": {"negative": ("disgust", "repression"), "positive": ("happiness",), "surprise": ("surprise",)},
    "samm": {"negative": ("Anger", "Contempt"), "positive": ("Happiness",), "surprise": ("Surprise",)},
}
CODES = {"negative": "ne", "positive": "po", "surprise": "sur"}


def write_layout(videos: str | Path, out: str | Path, dataset: str) -> Path:
    """Write the clips in a folder with the layout and the sheet of a database.

    Parameters
    ----------
    videos : str or Path
        See :func:`mer.datasets.video_folder.list_clips`; the labels are `negative`, `positive` and `surprise`.
    out : str or Path
        The folder to write.
    dataset : {"casme2", "samm", "smic"}

    Returns
    -------
    Path
        `out`.
    """
    if dataset not in LAYOUTS:
        raise ValueError(f"cannot write the layout of {dataset!r}; expected {', '.join(LAYOUTS)}")
    out, table = Path(out), list_clips(videos)
    unknown = sorted(set(table["label"]) - set(CODES))
    if unknown:
        raise ValueError(f"{videos}: label {unknown[0]!r}; expected {', '.join(CODES)}")
    table["person"] = table["subject"].rank(method="dense").astype(int)
    table["number"] = table.groupby("subject").cumcount() + 1
    table["turn"] = table.groupby("label").cumcount()
    LAYOUTS[dataset](table, out)
    with write_whole(out / "NOTE.txt") as file:
        file.write(NOTE + "\n")
    return out


def _casme2(table: pd.DataFrame, out: Path) -> None:
    """Frames without leading zeros, a shortcut among the clips, blank columns, an apex `/`, action units `?`."""
    rows: list[list[Any]] = [
        ["Subject", "Filename", None, "OnsetFrame", "ApexFrame", "OffsetFrame", None, "Action Units",
         "Estimated Emotion"]
    ]  # fmt: skip
    for i, row in enumerate(table.to_dict("records")):
        first = 31 + 17 * row["number"]
        folder = out / "CASME2_RAW_selected" / f"sub{row['person']:02d}" / f"EP{row['number']:02d}_{row['number']:02d}f"
        onset, apex, offset = _frames(row, lambda number, f=folder, k=first: f / f"img{k + number}.jpg")  # type: ignore[misc]
        aus: Any = int(row["aus"]) if row["aus"].isdigit() else row["aus"]
        label = EMOTIONS["casme2"][row["label"]][row["turn"] % len(EMOTIONS["casme2"][row["label"]])]
        apex_cell: Any = "/" if apex is None or i == 0 else first + apex
        aus_cell = aus if i else "?"
        frames = (first + onset, apex_cell, first + offset)
        rows.append([row["person"], folder.name, None, *frames, None, aus_cell, label])
    shortcut = out / "CASME2_RAW_selected" / "sub01" / "Desktop - Shortcut.lnk"
    shortcut.write_bytes(b"L\0\0\0")
    _write_sheet(out / "CASME2-coding-20140508.xlsx", "Sheet1", rows)


def _samm(table: pd.DataFrame, out: Path) -> None:
    """Thirteen rows of text above the headers, people such as `006`, frame numbers of two widths, formulas."""
    header = [
        "Subject", "Filename", "Inducement Code", "Onset Frame", "Apex Frame", "Offset Frame", "Duration", "Micro",
        "Action Units", "Estimated Emotion", "Objective Classes", "Notes",
    ]  # fmt: skip
    rows: list[list[Any]] = [["Facial codes"], *([[None]] * 12), header]
    for i, row in enumerate(table.to_dict("records")):
        person, first = f"{row['person'] + 5:03d}", 1500 * row["number"]
        folder, width = out / "SAMM" / person / f"{person}_{row['number']}_{1 + i % 3}", 4 if i == 1 else 5
        onset, apex, offset = _frames(
            row,
            lambda number, f=folder, p=person, k=first, w=width: f / f"{p}_{k + number:0{w}d}.jpg",  # type: ignore[misc]
        )
        label = EMOTIONS["samm"][row["label"]][row["turn"] % len(EMOTIONS["samm"][row["label"]])]
        n = len(rows) + 1
        cells = [
            person, folder.name, row["number"], first + onset, None if apex is None else first + apex, first + offset,
            f"=F{n}-D{n}+1", "Micro - 1/2", f"{row['aus']} ", label, "VII", None,
        ]  # fmt: skip
        rows.append(cells)
    _write_sheet(out / "SAMM_Micro_FACS_Codes_v2.xlsx", "MICRO_ONLY", rows)


def _smic(table: pd.DataFrame, out: Path) -> None:
    """No sheet: the names of clips and folders hold the label; only the frames from onset to offset are written."""
    for row in table.to_dict("records"):
        code, person = CODES[row["label"]], f"s{row['person']}"
        clip = f"{person}_{code}_{row['number']:02d}"
        folder = out / "SMIC_all_raw" / "HS" / person / "micro" / row["label"] / clip
        first = 90000 + 100 * row["number"]
        _frames(row, lambda number, f=folder, k=first: f / f"image{k + number:06d}.jpg", trim=True)  # type: ignore[misc]


LAYOUTS: dict[str, Callable[[pd.DataFrame, Path], None]] = {"casme2": _casme2, "samm": _samm, "smic": _smic}


def _frames(row: dict[str, Any], name: Callable[[int], Path], trim: bool = False) -> tuple[int, int | None, int]:
    """Write the frames of a clip; returns onset, apex and offset."""
    clip: Clip = open_clip(row["source"])
    onset = int(clip.numbers[0]) if pd.isna(row["onset"]) else int(row["onset"])
    offset = int(clip.numbers[-1]) if pd.isna(row["offset"]) else int(row["offset"])
    wanted = np.arange(onset, offset + 1) if trim else clip.numbers
    for number, image in clip.frames(wanted):
        _write_jpeg(name(number), image)
    return onset, None if pd.isna(row["apex"]) else int(row["apex"]), offset


def _write_jpeg(path: Path, image: np.ndarray) -> None:
    import cv2

    path.parent.mkdir(parents=True, exist_ok=True)
    data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 95])[1]
    path.write_bytes(data.tobytes())


def _write_sheet(path: Path, tab: str, rows: list[list[Any]]) -> None:
    from openpyxl import Workbook

    book = Workbook()
    sheet = book.active
    sheet.title = tab
    for row in rows:
        sheet.append(row)
    book.save(path)
