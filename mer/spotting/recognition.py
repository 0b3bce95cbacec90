"""Spot, then recognize: which emotion a spotted interval shows, by a fitted model."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mer.datasets.video import Clip, open_clip
from mer.extraction.methods import DEFAULT_METHOD, check_method, estimate_flow
from mer.face import align, crop, detect_faces, transform
from mer.models.model_files import load_for_expressions
from mer.models.per_clip import expression_input
from mer.spotting.spot_video import Spotting


class Recognizer:
    """A model of `mer train classifier`, applied to the flow from each interval's onset to its apex.

    That flow is made as the flows were that the model was fitted to: the same method, detector, size and component.
    """

    def __init__(self, model: str | Path, device: str = "auto") -> None:
        self.estimator, self.record = load_for_expressions(model)
        self.device = device
        made = self.record.get("flow") or {}
        self.method = made.get("method") or DEFAULT_METHOD
        self.detector = made.get("align") or "mediapipe"
        self.size = made.get("size") or 224
        self.component = self.record.get("component", "expression")
        check_method(self.method)

    def name_emotions(self, spotting: Spotting) -> list[str]:
        """The emotion of each of the intervals, in order."""
        clip = open_clip(spotting.source)
        return [self._name(clip, spotting, row) for row in spotting.intervals.to_dict("records")]

    def _name(self, clip: Clip, spotting: Spotting, row: dict) -> str:
        onset, apex = clip.frame(row["onset"]), clip.frame(row["apex"])
        key = spotting.key_at(row["onset"])
        faces = detect_faces(onset, self.detector)
        nearest = min(faces, key=lambda face: float(np.abs(face.box - key.box).sum())) if faces else key
        alignment = align(nearest.landmarks, self.size)
        landmarks = transform(nearest.landmarks, alignment.matrix)
        crops = crop(onset, alignment), crop(apex, alignment)
        flow = estimate_flow(*crops, method=self.method, landmarks=landmarks, device=self.device)
        seen = expression_input(self.estimator, getattr(flow, self.component), alignment.scale, crops)
        return str(self.estimator.predict(seen[None])[0])
