"""CASME: Yan, Wu, Liu, Wang and Fu, "CASME database: A dataset of spontaneous micro-expressions collected from
neutralized faces", FG 2013.

Frames: `CASME_raw_selected/sub01/EP01_12/*.jpg`, or under `Cropped/`. Headers of the sheet: `Subject, Filename,
OnsetF, ApexF1, ApexF2, OffsetF, Onset, Total, AU, Emotion`, with blank columns between them; `ApexF1` is the apex,
`Onset` and `Total` are milliseconds. A clip may hold
two expressions, so the onset is part of a row's key. Public patches of five rows exist, but by row number only, so
none is applied. If the frames of a row are not in its folder, the row's message says so.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from mer.datasets.annotation_sheet import read_table
from mer.datasets.columns import HEADERS
from mer.datasets.database import Database, Published, numbered_subject
from mer.datasets.frame_folders import Frames, by_parent
from mer.datasets.samples import FRAMES

SUBJECT = numbered_subject("sub", 2)


def _rows(sheet: Path | None, root: Path, frames: Frames) -> pd.DataFrame:
    """The sheet; beside `Total`, a duration in milliseconds, `Onset` is in milliseconds, too."""
    assert sheet is not None
    rows = read_table(sheet, {"total": ("total",)})
    if "total" not in rows:
        return rows
    return read_table(sheet, {name: tuple(header for header in HEADERS[name] if header != name) for name in FRAMES})


CASME = Database(
    name="casme",
    title="CASME",
    page="http://casme.psych.ac.cn/casme/",
    fps=60,
    subject=SUBJECT,
    identify=by_parent(SUBJECT, r"EP\w+"),
    layout="sub01/EP01_12/<frames>",
    labels={
        "tense": ("tension",),
        "disgust": (),
        "repression": (),
        "surprise": (),
        "happiness": (),
        "sadness": (),
        "contempt": (),
        "fear": (),
    },
    sheets=(r"^casme(?![^a-z]*(2|3|ii|sq|\(me\)))",),
    sheet="casme.xlsx",
    published=(
        Published(
            "a public list of 189 rows",
            {"tense": 68, "disgust": 45, "repression": 39, "surprise": 20, "happiness": 7, "sadness": 6,
             "contempt": 2, "fear": 2},
            19,
            unchecked=("labels", "clips", "people"),
        ),
    ),
    prefer=("raw", "cropped"),
    skip=r"casme ?(2|ii)|casme_sq|casme ?3",
    rows=_rows,
)  # fmt: skip
