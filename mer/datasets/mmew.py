"""MMEW: Ben, Ren, Zhang, Wang, Kpalma, Meng and Liu, "Video-based facial micro-expression analysis: A survey of
datasets, features and algorithms", IEEE Transactions on Pattern Analysis and Machine Intelligence 2022.

Frames: `Micro_Expression/<emotion>/S13-07-001/1.jpg` or `S03/happiness/S03-01-002/1.jpg`; the name of a clip holds
person, emotion and sample. `MMEW_Micro_Exp.xlsx`: `Subject, Filename, OnsetFrame, ApexFrame, OffsetFrame, Action Units,
Estimated Emotion, remarks`. Releases disagree on `others` and `repression`; the labels of the sheet are used.
"""

from __future__ import annotations

from mer.datasets.database import Database, Published, numbered_subject, subject_in_name
from mer.datasets.frame_folders import by_name

SUBJECT = numbered_subject("S", 2)
OWNER = subject_in_name(SUBJECT, r"(S\d+)-\d+-\d+")

MMEW = Database(
    name="mmew",
    title="MMEW",
    page="http://www.dpailab.com/database.html",
    fps=90,
    subject=SUBJECT,
    identify=by_name(OWNER),
    layout="Micro_Expression/happiness/S03-01-002/1.jpg",
    labels={
        "happiness": (),
        "surprise": (),
        "anger": (),
        "disgust": (),
        "fear": (),
        "sadness": (),
        "others": ("other",),
        "repression": (),
    },
    sheets=(r"mmew.*micro", r"mmew"),
    sheet="MMEW_Micro_Exp.xlsx",
    published=(
        Published(
            "the paper",
            {"happiness": 36, "surprise": 89, "anger": 8, "disgust": 72, "fear": 16, "sadness": 13, "others": 66},
            36,
            unchecked=("labels", "people"),
        ),
    ),
    skip=r"macro",
    owner=OWNER,
)
