"""DFME: Zhao, Tang, Mao, Liu, Wang and others, "DFME: A new benchmark for dynamic facial micro-expression
recognition", IEEE Transactions on Affective Computing 2024. The files of its challenges.

`training_full_with_AU.xlsx` and the sheets of the test parts: `Subject, Filename, OnsetFrame, ApexFrame, OffsetFrame,
Emotion, EmotionId, Fps, AU`, with names such as `sub0003` and `sub0003_01`. Frames: `<part>/<Filename>/00020.png`,
numbered within the clip. Clips have 200, 300 or 500 frames per second: motion from onset to apex is comparable between
clips, motion per frame is not.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from mer.datasets.annotation_sheet import read_table
from mer.datasets.columns import HEADERS
from mer.datasets.database import Database, Published, numbered_subject, subject_in_name
from mer.datasets.frame_folders import Frames, by_name

SUBJECT = numbered_subject("sub", 4)
OWNER = subject_in_name(SUBJECT, r"(sub\d+)_\d+")
EMOTIONS = ("anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise")  # EmotionId 0 to 6


def _rows(sheet: Path | None, root: Path, frames: Frames) -> pd.DataFrame:
    assert sheet is not None
    return read_table(sheet, {"label": (*HEADERS["label"], "emotionid")})  # ids, if there are no names


DFME = Database(
    name="dfme",
    title="DFME",
    page="https://mea-lab-421.github.io/",
    fps=500,
    subject=SUBJECT,
    identify=by_name(OWNER),
    layout="sub0003_01/00020.png",
    labels={name: (str(number),) for number, name in enumerate(EMOTIONS)},
    sheets=(r"^training.*au", r"dfme", r"^test_?(data_)?[ab].*"),
    sheet="training_full_with_AU.xlsx",
    published=(
        Published("training_full_with_AU.xlsx", dict(zip(EMOTIONS, (161, 100, 548, 265, 206, 278, 298))), 176),
        Published("test A", dict(zip(EMOTIONS, (39, 34, 129, 62, 63, 46, 101))), 42),
        Published("test B", dict(zip(EMOTIONS, (41, 37, 58, 38, 42, 35, 48))), 41),
    ),
    rows=_rows,
    owner=OWNER,
)
