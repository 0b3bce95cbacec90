"""CASME: Yan, Wu, Liu, Wang and Fu, "CASME database: A dataset of spontaneous micro-expressions collected from
neutralized faces", FG 2013.

Frames in `CASME_raw_selected/sub01/EP01_12/*.jpg`, or `Cropped/`. Headers of the sheet: `Subject, Filename, OnsetF,
ApexF1, ApexF2, OffsetF, AU, Emotion`, with blank columns between; `ApexF1` is the apex. One clip may hold two
expressions, so that a row is known by its onset too. Public patches of five rows exist by row number only, so that
none is applied; where a row's frames are not in the folder, its message says so.
"""

from __future__ import annotations

from mer.datasets.database import Database, Published
from mer.datasets.frame_folders import by_parent
from mer.datasets.identifiers import numbered

SUBJECT = numbered("sub", 2)

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
)  # fmt: skip
