"""SMIC: Li, Pfister, Huang, Zhao and Pietikäinen, "A spontaneous micro-expression database: Inducement, collection
and baseline", FG 2013. Three cameras recorded the same people: `smic` is the high-speed one (HS), beside `smic-vis` and
`smic-nir`. `smic-e` is the extended release of HS, with frames before and after the expressions.

The short clips, `SMIC_all_raw/HS/s1/micro/negative/s1_ne_01/image090823.jpg`, have no sheet. The name of a clip holds
its label (`ne`, `po`, `sur`), as does the folder above; the first frame is the onset, the last one the offset, and no
apex is annotated. Annotations can be given as a table with `subject, clip` and `apex` (or `onset`, `offset`). The
extended clips are in `HS_long/SMIC_HS_E/s01/s1_ne_01/`; their sheet `SMIC-HS-E_annotation*.xlsx` has `Subject,
Filename, OnsetF, OffsetF, Emotion`. The samples table calls the clip `s01_ne_01`, as in the list of MEGC2019.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pandas as pd

from mer.datasets.annotation_sheet import read_table
from mer.datasets.database import Database, Published, numbered_subject, subject_in_name
from mer.datasets.frame_folders import Frames, Identify, Place
from mer.datasets.video import ClipError, frame_files

SUBJECT = numbered_subject("s", 2)
EMOTIONS = {"ne": "negative", "po": "positive", "sur": "surprise"}
CAMERAS = ("hs", "vis", "nir")
_NAME = re.compile(r"s(\d+)_(ne|po|sur)_(\d+)", re.IGNORECASE)


def _clip(name: str) -> str:
    """`s1_ne_01` -> `s01_ne_01`"""
    match = _NAME.fullmatch(name.strip())
    return f"s{int(match[1]):02d}_{match[2].lower()}_{int(match[3]):02d}" if match else name


def _identify(camera: str) -> Identify:
    def identify(parts: tuple[str, ...]) -> Place | None:
        match = _NAME.fullmatch(parts[-1])
        cameras = [part.lower() for part in parts if part.lower() in CAMERAS]
        if match is None or (cameras and cameras[-1] != camera):
            return None
        folders = [part for part in parts[:-1] if re.fullmatch(r"s\d+", part, re.IGNORECASE)]
        return Place(SUBJECT(folders[-1] if folders else match[1]), _clip(parts[-1]))

    return identify


def _disagree(folder: Path, label: str) -> str:
    """A message if the name of a clip and the folder above it hold different labels; else empty."""
    above = [EMOTIONS.get(part, part) for part in (part.strip().casefold() for part in folder.parts[:-1])]
    labels = [part for part in above if part in EMOTIONS.values()]
    if not labels or labels[-1] == label:
        return ""
    return f"the name {folder.name} means {label}, but its folder is {labels[-1]}: move or rename it"


def _rows(sheet: Path | None, root: Path, frames: Frames) -> pd.DataFrame:
    """One row per folder; the sheet, if there is one, overrides the frames."""
    rows = []
    for place, folder in sorted(frames.folders.items()):
        try:
            numbers = list(frame_files(folder))
        except ClipError:
            numbers = [0, 1]  # unreadable; the join reports it
        label = EMOTIONS[place.clip.split("_")[1]]
        ends = {"onset": str(numbers[0]), "offset": str(numbers[-1])}
        row = {"subject": place.subject, "clip": place.clip, "label": label, "apex": "", **ends}
        rows.append({**row, "wrong": _disagree(folder.relative_to(root), label)})
    if sheet is not None:
        table = read_table(sheet, required=("subject", "clip"))
        table = table.set_index(table["clip"].map(_clip))
        for row in rows:
            for column in ("onset", "apex", "offset"):
                if column in table and row["clip"] in table.index:
                    row[column] = str(table.loc[[row["clip"]], column].iloc[0]) or row[column]
    return pd.DataFrame(rows)


SMIC = Database(
    name="smic",
    title="SMIC (HS)",
    page="https://www.oulu.fi/cmvs/node/41319",
    fps=100,
    subject=SUBJECT,
    identify=_identify("hs"),
    layout="HS/s1/micro/negative/s1_ne_01/image090823.jpg",
    labels={"negative": ("ne",), "positive": ("po",), "surprise": ("sur",)},
    annotated=(),
    published=(Published("the paper", {"negative": 70, "positive": 51, "surprise": 43}, 16),),
    prefer=("raw", "crop"),
    skip=r"long|hs[_-]e\b|non.?micro",
    rows=_rows,
    clip=_clip,
    owner=subject_in_name(SUBJECT, _NAME.pattern),
)
SMIC_VIS = replace(
    SMIC,
    name="smic-vis",
    title="SMIC (VIS)",
    fps=25,
    identify=_identify("vis"),
    layout="VIS/s1/micro/negative/s1_ne_01/<frames>",
    published=(Published("the paper", {}, 8, clips=71, unchecked=("people",)),),
)
SMIC_NIR = replace(
    SMIC_VIS,
    name="smic-nir",
    title="SMIC (NIR)",
    identify=_identify("nir"),
    layout="NIR/s1/micro/negative/s1_ne_01/<frames>",
)


def _extended_rows(sheet: Path | None, root: Path, frames: Frames) -> pd.DataFrame:
    assert sheet is not None
    rows = read_table(sheet, required=("subject", "clip", "onset"))
    labels = rows["clip"].map(lambda clip: EMOTIONS.get(_clip(clip).split("_")[1], "") if "_" in clip else "")
    rows["label"] = labels.where(labels != "", rows.get("label", ""))
    return rows


SMIC_E = replace(
    SMIC,
    name="smic-e",
    title="SMIC-E (HS, long clips)",
    layout="SMIC_HS_E/s01/s1_ne_01/<frames>",
    sheets=(r"smic.*hs.*(annot|cod)", r"smic.*e.*annot"),
    sheet="SMIC-HS-E_annotation.xlsx",
    annotated=("offset",),
    published=(Published("public lists", {}, 16, clips=157, unchecked=("people",)),),
    skip=r"all_(raw|cropped)|non.?micro",
    rows=_extended_rows,
)
