"""`run.json` of an analyzed video: command, settings, hashes, and notes for the reader of the report."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mer.datasets.video_folder import DATASET
from mer.extraction.flow_folder import run_record
from mer.extraction.settings import FACES, ExtractionSettings
from mer.extraction.sources import content_hash
from mer.face.regions import OUTER_EYE_CORNERS
from mer.models.emotion_reader import EmotionReader
from mer.spotting.spot_video import Spotting

MIN_FPS = 60  # below, the shortest micro-expressions are only a few frames long
MIN_INTEROCULAR = 60  # pixels; below, small motions of the skin are lost in noise


def analysis_record(
    video: Path,
    out: Path,
    spotting: Spotting,
    settings: ExtractionSettings,
    reader: EmotionReader,
    n_faces: int,
    *,
    fps: float | None,
    model: str | Path | None,
    with_faces: bool,
) -> dict[str, Any]:
    """The content of `run.json`.

    Parameters
    ----------
    video, out : Path
    spotting : Spotting
    settings : ExtractionSettings
    reader : EmotionReader
    n_faces : int
        The most faces seen in one frame.
    fps, model, with_faces
        As passed to :func:`mer.analyze`.
    """
    run = run_record(settings.record(), video, pd.DataFrame({"dataset": [DATASET]}))
    values = {"--out": out, "--model": model, "--method": run["method"], "--fps": fps, "--face": settings.face,
              "--align": settings.align, "--size": settings.size}  # fmt: skip
    options = [str(part) for name, value in values.items() if value is not None for part in (name, value)]
    eyes = [float(np.linalg.norm(np.subtract(*key.landmarks[list(OUTER_EYE_CORNERS), :2]))) for key in spotting.keys]
    face = {
        "seen at most": n_faces,
        "followed": settings.face,
        "share of frames": round(float(spotting.curve["strength"].notna().mean()), 4),
        "pixels between the eyes": round(float(np.median(eyes)), 1),
    }
    return {
        "command": shlex.join(["mer", "analyze", str(video), *options, *([] if with_faces else ["--no-faces"])]),
        "versions": run["versions"],
        "video": {"path": str(video.resolve()), "frames": spotting.frames, "fps": spotting.fps},
        "face": face,
        "spotting": {"method": spotting.method, "threshold": spotting.threshold},
        "flow": settings.record(),
        "model": {"name": reader.name, "file": None if model is None else str(model), "labeled": reader.labeled}
        | {"component": reader.component, "classes": list(reader.classes), "record": reader.record},
        "sha256": {"video": content_hash(video)} | ({"model": reader.sha256} if reader.sha256 else {}),
        "notes": _notes(face, spotting, settings),
    }


def _notes(face: dict[str, Any], spotting: Spotting, settings: ExtractionSettings) -> list[str]:
    """Limitations of this video, one sentence or two each."""
    notes = []
    if face["seen at most"] > 1:
        others = " or ".join(f"--face {name}" for name in FACES if name != settings.face)
        notes.append(
            f"The video shows {face['seen at most']} faces. The {settings.face} one at the start was tracked; choose "
            f"another with {others}."
        )
    if face["share of frames"] < 0.98:
        notes.append(
            f"A face was found in {100 * face['share of frames']:.0f} % of the frames; the others were not searched "
            "for expressions."
        )
    if spotting.fps < MIN_FPS:
        notes.append(
            f"At {spotting.fps:.3g} frames per second, a micro-expression of 0.2 s has "
            f"{max(1, round(spotting.fps / 5))} frames, so the shortest ones may be missed. Laboratories record 100 to "
            "200 frames per second."
        )
    if face["pixels between the eyes"] < MIN_INTEROCULAR:
        notes.append(
            f"The eyes are {face['pixels between the eyes']:.0f} pixels apart in the video; small motions of the skin "
            f"need {MIN_INTEROCULAR} or more."
        )
    return notes
