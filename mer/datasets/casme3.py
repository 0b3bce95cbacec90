"""CAS(ME)^3: Li, Dong, Lu, Wang, Yan, Song, Liu and Fu, "CAS(ME)^3: A third generation facial spontaneous
micro-expression database with depth information and high ecological validity", IEEE Transactions on Pattern Analysis
and Machine Intelligence 2023. `casme3` is part A, `casme3-c` the mock crimes of part C; part B has no labels.

Part A: `part_A/spNO.1/a/color/175.jpg` beside `depth/`; clips cut by the owners are in
`Part_A_ME_clip/frame/spNO.10_a_116/116.jpg`. `cas(me)3_part_A_ME_label_JpgIndex_v2.xlsx`, tab `label`: `Subject,
Filename, Onset, Apex, Offset, AU, Objective class, emotion`; version 1 has 22 wrong labels and is refused. A video
may hold several expressions. An offset of 0 means "not annotated". Onset and apex are equal if the beginning was not
recorded. The first seven or eight frames of videos are missing; the nearest frame is used instead, up to ten frames
away (a third of a second). The time from onset to apex decides that an expression is micro; some last more than two
seconds.

Part C: `part_C/1/1/color/`, or `part_C/spNO.1/1/color/`. `CAS(ME)3_part_C_ME.xlsx`, tab `mockCrimeME`: `sub, count,
onset, offset, au, emotion`, without an apex; action units are separated by commas.
"""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from mer.datasets.annotation_sheet import read_table
from mer.datasets.database import Database, Published, numbered_subject
from mer.datasets.frame_folders import Frames, Place
from mer.datasets.samples import SamplesError

SUBJECT = numbered_subject("spNO.", 1)
V1_ROWS = 921


def _identify(parts: tuple[str, ...]) -> Place | None:
    cut = re.fullmatch(r"(spNO\.\d+)_([a-z])_(\d+)", parts[-1], re.IGNORECASE)
    if cut:
        return Place(SUBJECT(cut[1]), cut[2], int(cut[3]))
    names = [part for part in parts if part.lower() != "color"]
    if len(names) < 2 or not re.fullmatch(r"[a-z]", names[-1], re.IGNORECASE):
        return None
    return Place(SUBJECT(names[-2]), names[-1])


def _rows(sheet: Path | None, root: Path, frames: Frames) -> pd.DataFrame:
    assert sheet is not None
    rows = read_table(sheet, tab="label")
    if len(rows) == V1_ROWS or re.search(r"_v1\b", sheet.stem, re.IGNORECASE):
        raise SamplesError(
            f"{sheet} is version 1 of the sheet, which has 22 wrong labels according to its authors; use "
            "cas(me)3_part_A_ME_label_JpgIndex_v2.xlsx"
        )
    return rows


CASME3 = Database(
    name="casme3",
    title="CAS(ME)^3, part A",
    page="http://casme.psych.ac.cn/casme/",
    fps=30,
    subject=SUBJECT,
    identify=_identify,
    layout="part_A/spNO.1/a/color/175.jpg",
    labels={
        "disgust": (),
        "surprise": (),
        "others": ("other",),
        "fear": (),
        "anger": (),
        "sad": ("sadness",),
        "happy": ("happiness",),
    },
    sheets=(r"part_?a.*me_label.*v2", r"part_?a.*_me", r"part_?a.*v2"),
    sheet="cas(me)3_part_A_ME_label_JpgIndex_v2.xlsx",
    published=(
        Published(
            "cas(me)3_part_A_ME_label_JpgIndex_v2.xlsx",
            {"disgust": 250, "surprise": 187, "others": 161, "fear": 86, "anger": 64, "sad": 57, "happy": 55},
            94,
        ),
    ),
    prefer=("color", r"(^|/)frame/"),
    skip=r"depth|part_?[bc]\b",
    rows=_rows,
    clip=str.lower,  # the sheet has a clip J
    slack=10,
)

_NUMBERED_C = numbered_subject("", 2)


def _subject_c(text: str) -> str:
    """`1`, `01`, or `spNO.1` as in part A -> `01`."""
    return _NUMBERED_C(re.sub(r"^spNO\.?", "", text.strip(), flags=re.IGNORECASE))


def _identify_c(parts: tuple[str, ...]) -> Place | None:
    names = [part for part in parts if part.lower() != "color"]
    if len(names) < 2 or not re.fullmatch(r"\w*?\d+", names[-1]):
        return None
    return Place(_subject_c(names[-2]), names[-1])


def _rows_c(sheet: Path | None, root: Path, frames: Frames) -> pd.DataFrame:
    assert sheet is not None
    return read_table(sheet, {"clip": ("count", "filename", "clip", "video")}, tab="mockCrimeME")


CASME3_C = Database(
    name="casme3-c",
    title="CAS(ME)^3, part C",
    page="http://casme.psych.ac.cn/casme/",
    fps=30,
    subject=_subject_c,
    identify=_identify_c,
    layout="part_C/1/1/color/<frames>",
    labels={"negative": (), "surprise": (), "others": ("other",), "positive": ()},
    sheets=(r"part_?c.*_me\b", r"part_?c.*me"),
    sheet="CAS(ME)3_part_C_ME.xlsx",
    annotated=("offset", "aus"),
    published=(
        Published("CAS(ME)3_part_C_ME.xlsx", {"negative": 99, "surprise": 30, "others": 20, "positive": 16}, 30),
    ),
    prefer=("color",),
    skip=r"depth|part_?[ab]\b",
    rows=_rows_c,
    slack=10,
)
