"""CASME II: Yan, Li, Wang, Zhao, Liu, Chen and Fu, "CASME II: An improved spontaneous micro-expression database and
the baseline evaluation", PLoS ONE 2014.

Frames: `CASME2_RAW_selected/sub01/EP02_01f/img46.jpg`, numbered as in the sheet, without leading zeros; cropped
frames in `Cropped/sub01/EP02_01f/reg_img46.jpg`, in some copies with `1` instead of `sub01`. Headers of the sheet:
`Subject, Filename, OnsetFrame, ApexFrame, OffsetFrame, Action Units, Estimated Emotion`, with blank columns in the
original. `CASME2-coding-20140508.xlsx` has 255 rows; later editions add sub24/EP02_07 and change three clips of sub24
from sadness to surprise. The apex of sub04/EP12_01f is `/`, that of sub05/EP09_05f equals the onset: both are
spotted. Public lists disagree on sub07/EP06_01 (15 to 68, or 56 to 116) and on the offset of sub16/EP01_08 (96 or
110); the values of the sheet are used.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from mer.datasets.annotation_sheet import find_sheets, read_table
from mer.datasets.database import Database, Published, numbered_subject
from mer.datasets.frame_folders import Frames, by_parent

SUBJECT = numbered_subject("sub", 2)


def _rows(sheet: Path | None, root: Path, frames: Frames) -> pd.DataFrame:
    """The sheet, with the objective classes of `CASME2-ObjectiveClasses.xlsx` if there is one."""
    assert sheet is not None
    rows = read_table(sheet)
    classes = find_sheets(root, (r"casme ?2.*objective",))
    if classes and "objective" not in rows:
        table = read_table(classes[0], required=("subject", "clip", "objective"))
        numbers = table["subject"].str.extract(r"(\d+)$")[0].str.lstrip("0")
        named = dict(zip(zip(numbers, table["clip"].str.casefold()), table["objective"]))
        keys = zip(rows["subject"].str.extract(r"(\d+)$")[0].str.lstrip("0"), rows["clip"].str.casefold())
        rows["objective"] = [named.get(key, "") for key in keys]
    return rows


CASME2 = Database(
    name="casme2",
    title="CASME II",
    page="http://casme.psych.ac.cn/casme/",
    fps=200,
    subject=SUBJECT,
    identify=by_parent(SUBJECT, r"EP\w+"),
    layout="CASME2_RAW_selected/sub01/EP02_01f/img46.jpg",
    labels={
        "others": ("other",),
        "disgust": (),
        "happiness": (),
        "repression": (),
        "surprise": (),
        "sadness": (),
        "fear": (),
    },
    sheets=(
        r"casme ?2.*coding.*2014",
        r"casme ?2.*(coding|label)(?!.*objective)",
        r"^casme ?(2|ii)(?!.*objective)",
    ),
    sheet="CASME2-coding-20140508.xlsx",
    published=(
        Published(
            "CASME2-coding-20140508.xlsx",
            {"others": 99, "disgust": 63, "happiness": 32, "repression": 27, "surprise": 25, "sadness": 7, "fear": 2},
            26,
        ),
        Published(
            "CASME2-coding-20190701.xlsx",
            {"others": 99, "disgust": 63, "happiness": 32, "repression": 27, "surprise": 28, "sadness": 4, "fear": 2},
            26,
        ),
        Published(
            "CASME2-coding-updated.xlsx",
            {"others": 99, "disgust": 64, "happiness": 32, "repression": 27, "surprise": 28, "sadness": 4, "fear": 2},
            26,
            unchecked=("labels",),
        ),
    ),
    prefer=("raw", "cropped-updated", "cropped"),
    skip=r"(^|/)casme(/|_raw|_?sq)|cas\(me\)|casme ?3",
    rows=_rows,
)
