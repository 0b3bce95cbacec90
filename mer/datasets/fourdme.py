"""4DME, gray micro-expressions: Li, Cheng, Li, Behzad, Shen, Zafeiriou, Pantic and Zhao, "4DME: A spontaneous 4D
micro-expression dataset with multimodalities", IEEE Transactions on Affective Computing 2023.

Frames: `gray_micro/<sub_ID>/<fold_name>/`. `4DME_Labelling_Micro_release v1.xlsx`: `sub_ID, fold_name, fold, Emotion,
Onset, Apex, Offset, AUs`, and columns of 0 and 1 for action units and for `Positive, Negative, Surprise, Repression,
Others`. A clip may have several labels, written as `negative+repression`, in this order. The suffix `(k)` marks an
uncertain action unit.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from mer.datasets.annotation_sheet import read_table
from mer.datasets.columns import HEADERS
from mer.datasets.database import Database, Published, numbered_subject
from mer.datasets.frame_folders import Frames, by_parent
from mer.datasets.tables import BLANKS, SamplesError

EMOTIONS = ("positive", "negative", "surprise", "repression", "others")
YES, NO = ("1", "true", "yes", "x"), ("0", "false", "no", *BLANKS)
_NUMBERED = numbered_subject("sub", 2)


def _subject(text: str) -> str:
    """`1`, `01`, `sub1` -> `sub01`; any other name is unchanged."""
    try:
        return _NUMBERED(text)
    except ValueError:
        if not text.strip():
            raise
        return text.strip()


def _rows(sheet: Path | None, root: Path, frames: Frames) -> pd.DataFrame:
    assert sheet is not None
    headers = {name: (name,) for name in EMOTIONS} | {"clip": ("foldname", *HEADERS["clip"])}
    rows = read_table(sheet, headers, required=("subject", "clip", "onset"))
    columns = [name for name in EMOTIONS if name in rows]
    for name in columns:
        rows[name] = rows[name].str.casefold()
        odd = rows[~rows[name].isin([*YES, *NO])]
        if len(odd):
            row = odd.iloc[0]
            raise SamplesError(f"{sheet}, row {row['row']}: {name} is {row[name]!r}; expected 0 or 1")
    labels = rows[columns].isin(YES).apply(lambda row: "+".join(name for name in columns if row[name]), axis=1)
    rows["label"] = labels.where(labels != "", rows.get("label", "")) if columns else rows["label"]
    return rows.drop(columns=columns)


FOURDME = Database(
    name="4dme",
    title="4DME (gray, micro)",
    page="",
    fps=60,
    subject=_subject,
    identify=by_parent(_subject),
    layout="gray_micro/<sub_ID>/<fold_name>/<frames>",
    labels={},  # any combination of EMOTIONS
    sheets=(r"4dme.*micro.*release", r"4dme.*micro", r"4dme"),
    sheet="4DME_Labelling_Micro_release v1.xlsx",
    published=(Published("a public loader", {}, clips=267),),
    prefer=(r"gray_micro(?!_crop)", r"gray"),
    skip=r"macro|casme|cas\(me\)|samm|smic|mmew|dfme",  # people and clips of other databases could have such names
    rows=_rows,
)
