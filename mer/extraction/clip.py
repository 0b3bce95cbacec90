"""From one clip to the files of its flow: onset and apex from the labels or a search, flow, aligned frames."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mer.datasets.video import Clip, ClipError, damaged_note, open_clip
from mer.extraction.apex import find_apex
from mer.extraction.expression import ClipFault, Onset, find_onset, measure_expression
from mer.extraction.frame_files import SIDE, frames_to_keep, save_clip, save_pair
from mer.extraction.settings import ExtractionSettings
from mer.face import Face, align, crop, transform
from mer.flow import save_flow

APEX_SIZE = 128  # pixels; the curves are like those at 224, in a third of the time
# Columns of the samples table that the extraction of a clip fills in.
RESULT = ("onset", "apex", "offset", "apex_source", "fps", "status", "message", "scale")


def extract_clip(row: dict[str, Any], out: Path, settings: ExtractionSettings) -> dict[str, Any]:
    """Extract and write the flow of one clip, and return the columns to fill in.

    A fault of the clip becomes a status, never an exception.

    Raises
    ------
    OSError
        If the flow cannot be written, for example because the disk is full: this would affect every clip.
    """
    notes = [row["message"]] if row["message"] else []
    try:
        clip = open_clip(row["source"])
        first, offset = interval_of(clip, row)
        onset = find_onset(clip, first, settings)
        if onset.n_faces > 1:
            notes.append(f"{onset.n_faces} faces; took the {settings.face}")
        apex, apex_source = _apex(clip, row, onset, offset, settings, notes)
        expression = measure_expression(clip, onset, apex, settings)
        frames = _aligned_frames(clip, first, offset, onset.face) if settings.clips else []
    except ClipFault as fault:
        return {"status": fault.status, "message": str(fault)}
    except (ClipError, OSError) as error:
        return {"status": "unreadable", "message": str(error)}
    except Exception as error:  # the flow method, perhaps a user's own, fails on this clip
        return {"status": "failed", "message": f"{type(error).__name__}: {error}".splitlines()[0]}
    if settings.clips:
        save_clip(out / row["path"], frames)
    if settings.pairs:
        save_pair(out / row["path"], *expression.crops)
    save_flow(out / row["path"], expression.flow)
    notes += clip.notes
    fps = clip.fps if pd.isna(row["fps"]) else row["fps"]
    return {
        "onset": first, "apex": apex, "offset": offset, "apex_source": apex_source, "fps": fps,
        "scale": round(expression.alignment.scale, 4), "status": "ok", "message": "; ".join(notes),
    }  # fmt: skip


def interval_of(clip: Clip, row: dict[str, Any]) -> tuple[int, int]:
    """Onset and offset: as labeled, or the first and the last frame."""
    first, last = int(clip.numbers[0]), int(clip.numbers[-1])
    onset = first if pd.isna(row["onset"]) else int(row["onset"])
    offset = last if pd.isna(row["offset"]) else min(int(row["offset"]), last)
    if onset not in clip.numbers:
        raise ClipFault("missing_frames", f"the onset, frame {onset}, is missing; frames are {first} to {last}")
    if len(clip) < 2 or onset == last:
        raise ClipFault("too_short", f"no frame after the onset, frame {onset}")
    if offset <= onset:
        raise ClipFault("bad_annotation", f"the offset, frame {offset}, is not after the onset, frame {onset}")
    return onset, offset


def _apex(
    clip: Clip, row: dict[str, Any], onset: Onset, offset: int, settings: ExtractionSettings, notes: list[str]
) -> tuple[int, str]:
    """The apex and its source: the label if it is valid, else the peak, else the midpoint. Adds to `notes`."""
    if not pd.isna(row["apex"]):
        label = int(row["apex"])
        between = onset.number < label <= offset
        if label > clip.numbers[-1] or (between and label not in clip.numbers):
            span = f"frames are {clip.numbers[0]} to {clip.numbers[-1]}"
            raise ClipFault("missing_frames", f"the apex, frame {label}, is missing; {span}")
        if between:
            return label, "label"
        notes.append(f"labeled apex {label} is not between onset {onset.number} and offset {offset}")
    numbers = clip.numbers[(clip.numbers > onset.number) & (clip.numbers <= offset)]
    if settings.apex != "midpoint":
        apex = _search_apex(clip, onset, numbers, settings, notes)
        if apex is not None:
            return apex, "spotted"
        notes.append("nothing moves")
    return int(numbers[(len(numbers) - 1) // 2]), "midpoint"


def _search_apex(
    clip: Clip, onset: Onset, numbers: np.ndarray, settings: ExtractionSettings, notes: list[str]
) -> int | None:
    """The apex, one of these frames of the clip; None if nothing moves. Adds to `notes`."""
    alignment = align(onset.face.landmarks, APEX_SIZE)
    readable: list[int] = []

    def frames() -> Iterator[np.ndarray]:
        for number, image in clip.frames(numbers, skip_damaged=True):
            readable.append(number)
            yield crop(image, alignment)

    landmarks = transform(onset.face.landmarks, alignment.matrix)
    position = find_apex(crop(onset.image, alignment), frames(), landmarks, settings.apex, device=settings.device)
    if position is not None and len(readable) < len(numbers):
        notes.append(damaged_note(len(numbers) - len(readable), len(numbers)))
    return None if position is None else readable[position]


def _aligned_frames(clip: Clip, onset: int, offset: int, face: Face) -> list[np.ndarray]:
    """Crops `(64, 64, 3)` of the frames from onset to offset, all aligned by the face of the onset."""
    numbers = frames_to_keep(clip.numbers[(clip.numbers >= onset) & (clip.numbers <= offset)])
    alignment = align(face.landmarks, SIDE)
    return [crop(image, alignment) for _, image in clip.frames(numbers, skip_damaged=True)]
