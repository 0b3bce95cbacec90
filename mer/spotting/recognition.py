"""Spot, then recognize: which emotion a spotted interval shows, by a fitted model."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mer.face import crop, transform
from mer.methods import estimate_flow
from mer.models.saved import load_model
from mer.spotting.spotting import Spotting
from mer.video import open_clip


class Recognizer:
    """A model of `mer train classifier`, applied to the expression flow from each interval's onset to its apex."""

    def __init__(self, model: str | Path, device: str = "auto") -> None:
        self.estimator, self.record = load_model(model)
        self.device = device

    def name_emotions(self, spotting: Spotting) -> list[str]:
        """The emotion of each of the intervals, in order."""
        clip = open_clip(spotting.source)
        names = []
        for row in spotting.intervals.to_dict("records"):
            key = spotting.key_at(row["onset"])
            alignment = key.alignment()
            onset, apex = (crop(clip.frame(row[name]), alignment) for name in ("onset", "apex"))
            landmarks = transform(key.landmarks, alignment.matrix)
            flow = estimate_flow(onset, apex, landmarks=landmarks, device=self.device)
            field = (flow.expression / alignment.scale).astype(np.float32)
            names.append(str(self.estimator.predict(field[None])[0]))
        return names
