"""SAMM and SAMM Long Videos: Davison, Lansley, Costen, Tan and Yap, "SAMM: A spontaneous micro-facial movement
dataset", IEEE Transactions on Affective Computing 2018; Yap, Kendrick and Yap, "SAMM Long Videos: A spontaneous
facial micro- and macro-expressions dataset", FG 2020. Both show the same people.

Frames: `SAMM/006/006_1_2/006_05562.jpg`; the last number is the frame, with any number of leading zeros. The sheet
`SAMM_Micro_FACS_Codes_v2.xlsx` has thirteen rows of text above its headers: `Subject, Filename, Inducement Code,
Onset Frame, Apex Frame, Offset Frame, Duration, Micro, Action Units, Estimated Emotion, Objective Classes, Notes`.

Long videos: `SAMM_longvideos/006_1/006_1_0001.jpg`. Their sheet `SAMM_LongVideos_V*_Release.xlsx` has ten rows of text,
the columns `Onset, Apex, Offset, Type`, and no emotion, which comes from the sheet above by `Filename`.
"""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from mer.datasets.annotation_sheet import find_sheets, read_table
from mer.datasets.database import Database, Published, numbered_subject, subject_in_name
from mer.datasets.frame_folders import Frames, Place, by_name

SUBJECT = numbered_subject("", 3)
OWNER = subject_in_name(SUBJECT, r"(\d+)_.*")
LABELS: dict[str, tuple[str, ...]] = {
    "anger": (),
    "happiness": (),
    "other": ("others",),
    "surprise": (),
    "contempt": (),
    "disgust": (),
    "fear": (),
    "sadness": (),
}
COUNTS = {
    "anger": 57, "happiness": 26, "other": 26, "surprise": 15, "contempt": 12, "disgust": 9, "fear": 8, "sadness": 6,
}  # fmt: skip
SHEET = "SAMM_Micro_FACS_Codes_v2.xlsx"
SHEETS = (r"samm.*micro.*facs", r"samm.*facs", r"^samm(?!.*long)")


def _rows(sheet: Path | None, root: Path, frames: Frames) -> pd.DataFrame:
    assert sheet is not None
    return read_table(sheet, tab="MICRO_ONLY")


def _identify(parts: tuple[str, ...]) -> Place | None:
    if not re.fullmatch(r"\d{3}_\d+_\d+", parts[-1]):
        return None
    folder = parts[-2] if len(parts) > 1 else ""
    return Place(SUBJECT(folder if re.fullmatch(r"\d+", folder) else parts[-1][:3]), parts[-1])


SAMM = Database(
    name="samm",
    title="SAMM",
    page="https://helward.mmu.ac.uk/STAFF/M.Yap/dataset.php",
    fps=200,
    subject=SUBJECT,
    identify=_identify,
    layout="006/006_1_2/006_05562.jpg",
    labels=LABELS,
    sheets=SHEETS,
    sheet=SHEET,
    published=(Published(SHEET, COUNTS, 29),),
    prefer=(r"^(?!.*crop)",),
    rows=_rows,
    owner=OWNER,
)


def _video(clip: str) -> str:
    """The video that shows an expression: `006_1` for `006_1_2`."""
    return "_".join(clip.split("_")[:2])


def _long_rows(sheet: Path | None, root: Path, frames: Frames) -> pd.DataFrame:
    assert sheet is not None
    rows = read_table(sheet, required=("subject", "clip", "onset", "kind"))
    emotions = find_sheets(root, SHEETS)
    rows["label"] = ""
    if emotions:
        table = read_table(emotions[0], tab="MICRO_ONLY")
        rows["label"] = rows["clip"].map(dict(zip(table["clip"], table["label"]))).fillna("")
        rows.loc[rows["kind"].str.casefold().str.startswith("macro"), "label"] = ""
    return rows


SAMM_LV = Database(
    name="samm-lv",
    title="SAMM Long Videos",
    page=SAMM.page,
    fps=200,
    subject=SUBJECT,
    identify=by_name(subject_in_name(SUBJECT, r"(\d{3})_\d+")),
    layout="SAMM_longvideos/006_1/006_1_0001.jpg",
    labels=LABELS,
    sheets=(r"samm.*long.*v3", r"samm.*long.*v2", r"samm.*long"),
    sheet="SAMM_LongVideos_V1_Release.xlsx",
    companion=(SHEET, SHEETS),
    published=(Published(SHEET, COUNTS, 29),),
    prefer=(r"^(?!.*crop)",),
    rows=_long_rows,
    clip=_video,
    owner=OWNER,
)
