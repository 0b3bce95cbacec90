"""One clip to its flow: face, alignment, onset and apex, flow, file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from mer.datasets.video import Clip, ClipError, open_clip
from mer.extraction.apex import METHOD as APEX_METHOD
from mer.extraction.apex import find_apex
from mer.extraction.frame_files import SIDE, kept_frames, save_clip, save_pair
from mer.extraction.methods import Method, describe_method, estimate_flow
from mer.face import Face, align, crop, detect_faces, transform
from mer.flow import Flow, save_flow

APEX_SIZE = 128  # of the crops in which the apex is searched: a third of the time of 224, and curves alike

# Which face of several is meant, as a sort key: the smallest wins. Boxes are x0, y0, x1, y1.
FACES: dict[str, Callable[[Face], float]] = {
    "largest": lambda face: -float((face.box[2] - face.box[0]) * (face.box[3] - face.box[1])),
    "left": lambda face: float(face.box[0] + face.box[2]),
    "right": lambda face: -float(face.box[0] + face.box[2]),
}
# What one clip's extraction fills in.
RESULT = ("onset", "apex", "offset", "apex_source", "fps", "status", "message", "scale")


@dataclass(frozen=True)
class Settings:
    """What decides the content of a flow folder, and the device, which does not."""

    method: Method
    align: str = "mediapipe"
    size: int = 224
    stabilize: bool = False
    face: str = "largest"
    device: str = "auto"
    clips: bool = False
    pairs: bool = False
    apex: str = "flow"

    def record(self) -> dict[str, Any]:
        """The settings as they stand in `run.json`."""
        plain = {"align": self.align, "size": self.size, "stabilize": self.stabilize, "face": self.face,
                 "clips": self.clips, "pairs": self.pairs, "apex": self.apex}  # fmt: skip
        searched = None if self.apex == "midpoint" else describe_method(APEX_METHOD)
        return {**describe_method(self.method), **plain, "apex_flow": searched}


class ClipFault(Exception):
    """One clip can't be used: its status and a message for the table."""

    def __init__(self, status: str, message: str) -> None:
        super().__init__(message)
        self.status = status


class Extracted(NamedTuple):
    """What there is to write of a clip: its flow, its gray frames and its onset and apex where they are wanted, and the
    columns to fill in.
    """

    flow: Flow
    crops: list[np.ndarray]
    pair: tuple[np.ndarray, np.ndarray] | None
    fields: dict[str, Any]


def extract_clip(row: dict[str, Any], out: Path, settings: Settings) -> dict[str, Any]:
    """Extract one clip's flow and write it; the columns to fill in.

    A fault of the clip becomes a status, never an exception. That the flow cannot be written, as on a full disk, is no
    fault of the clip: it would befall all others too, and raises `OSError`.
    """
    try:
        found = _extract(row, settings)
    except ClipFault as fault:
        return {"status": fault.status, "message": str(fault)}
    except (ClipError, OSError) as error:
        return {"status": "unreadable", "message": str(error)}
    except Exception as error:  # a method, perhaps a user's own, that fails on this clip: the others go on
        return {"status": "failed", "message": f"{type(error).__name__}: {error}".splitlines()[0]}
    if found.crops:
        save_clip(out / row["path"], found.crops)
    if found.pair:
        save_pair(out / row["path"], *found.pair)
    save_flow(out / row["path"], found.flow)
    return {**found.fields, "status": "ok"}


def _extract(row: dict[str, Any], settings: Settings) -> Extracted:
    clip = open_clip(row["source"])
    onset, offset = _interval(clip, row)
    notes = [row["message"]] if row["message"] else []

    image = clip.frame(onset)
    faces = detect_faces(image, settings.align)
    if not faces:
        raise ClipFault("no_face", f"no face in frame {onset}")
    if len(faces) > 1:
        notes.append(f"{len(faces)} faces; took the {settings.face}")
    face = min(faces, key=FACES[settings.face])
    alignment = align(face.landmarks, settings.size)
    onset_crop = crop(image, alignment)
    landmarks = transform(face.landmarks, alignment.matrix)

    apex, apex_source, note = _apex(clip, row, onset, offset, image, face, settings.apex)
    notes += note
    before, image = image.shape, clip.frame(apex)
    if image.shape != before:
        sizes = " and ".join(f"{width} x {height}" for height, width, _ in (before, image.shape))
        raise ClipFault("unreadable", f"frames {onset} and {apex} differ in size: {sizes}")
    faces = detect_faces(image, settings.align)
    if not faces:
        raise ClipFault("face_lost", f"a face in frame {onset}, none in frame {apex}")
    if settings.stabilize:
        face = min(faces, key=lambda other: float(np.abs(other.box - face.box).sum()))
        apex_crop = crop(image, align(face.landmarks, settings.size))
    else:
        apex_crop = crop(image, alignment)

    flow = estimate_flow(onset_crop, apex_crop, method=settings.method, landmarks=landmarks, device=settings.device)
    crops = _aligned_frames(clip, onset, offset, face) if settings.clips else []
    fps = clip.fps if pd.isna(row["fps"]) else row["fps"]
    fields = {
        "onset": onset, "apex": apex, "offset": offset, "apex_source": apex_source, "fps": fps,
        "scale": round(alignment.scale, 4), "message": "; ".join(notes),
    }  # fmt: skip
    return Extracted(flow, crops, (onset_crop, apex_crop) if settings.pairs else None, fields)


def _aligned_frames(clip: Clip, onset: int, offset: int, face: Face) -> list[np.ndarray]:
    """Crops `(64, 64, 3)` of the frames from onset to offset, all placed by the onset's landmarks."""
    numbers = kept_frames(clip.numbers[(clip.numbers >= onset) & (clip.numbers <= offset)])
    small = align(face.landmarks, SIDE)
    return [crop(image, small) for _, image in clip.frames(numbers)]


def _interval(clip: Clip, row: dict[str, Any]) -> tuple[int, int]:
    first, last = int(clip.numbers[0]), int(clip.numbers[-1])
    onset = first if pd.isna(row["onset"]) else int(row["onset"])
    offset = last if pd.isna(row["offset"]) else min(int(row["offset"]), last)
    if onset not in clip.numbers:
        raise ClipFault("missing_frames", f"the onset, frame {onset}, is not there; frames are {first} to {last}")
    if len(clip) < 2 or onset == last:
        raise ClipFault("too_short", f"no frame after the onset, frame {onset}")
    if offset <= onset:
        raise ClipFault("bad_annotation", f"the offset, frame {offset}, is not after the onset, frame {onset}")
    return onset, offset


def _apex(
    clip: Clip, row: dict[str, Any], onset: int, offset: int, image: np.ndarray, face: Face, by: str
) -> tuple[int, str, list[str]]:
    """The apex, its source and notes: the label if it can be right, else the peak, else the midpoint."""
    notes: list[str] = []
    if not pd.isna(row["apex"]):
        labeled = int(row["apex"])
        if labeled > clip.numbers[-1] or (onset < labeled <= offset and labeled not in clip.numbers):
            last = f"frames are {clip.numbers[0]} to {clip.numbers[-1]}"
            raise ClipFault("missing_frames", f"the apex, frame {labeled}, is not there; {last}")
        if onset < labeled <= offset:
            return labeled, "label", notes
        notes.append(f"labeled apex {labeled} is not between onset {onset} and offset {offset}")
    numbers = clip.numbers[(clip.numbers > onset) & (clip.numbers <= offset)]
    middle = int(numbers[(len(numbers) - 1) // 2])
    if by == "midpoint":
        return middle, "midpoint", notes
    small = align(face.landmarks, APEX_SIZE)
    frames = (crop(image, small) for _, image in clip.frames(numbers))
    position = find_apex(crop(image, small), frames, transform(face.landmarks, small.matrix), by)
    if position is None:
        return middle, "midpoint", [*notes, "nothing moves"]
    return int(numbers[position]), "spotted", notes
