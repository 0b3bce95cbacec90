"""Analyze a video of the sample set with given intervals instead of spotting, in a few seconds."""

from __future__ import annotations

import shutil
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pandas as pd

from mer.datasets.video import open_clip
from mer.extraction.settings import FACES
from mer.face import detect_faces
from mer.spotting import Spotting
from mer.spotting.analyze_video import Analysis, analyze
from mer.spotting.face_motion import KeyFrame

MARKS = ((2, 6, 9), (11, 14, 18))


def spotted(video: Path, marks: tuple = MARKS, face: str = "largest") -> Spotting:
    """A `Spotting` with these onsets, apexes and offsets."""
    clip = open_clip(video)
    found = min(detect_faces(clip.frame(0)), key=FACES[face])
    rows = [
        {"onset": a, "apex": b, "offset": c, "onset_time": a / 50, "apex_time": b / 50, "offset_time": c / 50}
        | {"seconds": (c - a) / 50, "kind": "micro", "strength": 5.0 + k}
        for k, (a, b, c) in enumerate(marks)
    ]
    columns = ["onset", "apex", "offset", "onset_time", "apex_time", "offset_time", "seconds", "kind", "strength"]
    curve = pd.DataFrame({"frame": clip.numbers, "time": clip.times, "strength": np.linspace(0, 6, len(clip))})
    return Spotting(
        intervals=pd.DataFrame(rows, columns=columns), curve=curve, threshold=4.0, fps=50.0, frames=len(clip),
        keys=[KeyFrame(0, found.box, found.landmarks)], source=video, method="dis",
    )  # fmt: skip


def analyzed(sample_videos: Path, folder: Path, name: str = "me", marks: tuple = MARKS, **options: object) -> Analysis:
    """Analyze the first clip of the sample set under another name."""
    video = folder / f"{name}.mp4"
    shutil.copy(sorted((sample_videos / "p01").glob("*.mp4"))[0], video)
    with patch("mer.spotting.analyze_video.spot", lambda *_, **__: spotted(video, marks)):
        return analyze(video, folder / "out", method="farneback", **options)  # type: ignore[arg-type]
