"""Labeled flow of drawn people who show drawn micro-expressions: what a classifier can learn from without any data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from mer.face.align import face_box
from mer.synth.blendshapes import ACTION_UNITS
from mer.synth.face_model import FaceModel
from mer.synth.flow_degradation import Recording, draw_recording, estimate
from mer.synth.unit_motions import (
    CLASS_COUNTS,
    PATTERNS,
    SIZE,
    UNITS,
    UnitMotions,
    blended_motions,
    draw_intensities,
    drawn_motions,
    expression_flow,
    face_motions,
)
from mer.utils.progress import Track

_BLINK = [UNITS.index("L45"), UNITS.index("R45")]


@dataclass(frozen=True, eq=False)
class MicroFlows:
    """Rendered micro-expressions, one row a clip.

    Attributes
    ----------
    flows : float32 (n, 28, 28, 2)
        Of the face box, in interocular distances, as a flow method would estimate them.
    labels : (n,) of str
        negative, positive or surprise.
    intensities : float32 (n, units)
        Of :data:`mer.synth.unit_motions.UNITS`, 0 to 1, all that the face shows.
    motion : float32 (n, units)
        How far each unit moves the skin at most, interocular distances. Unlike intensities, which every face model
        counts in its own way, it can be compared between units and faces.
    people : int (n,)
    crop : {"box", "aligned"}
        What the fields show: the face box, as published images do, or mer's aligned crop, masked.
    """

    flows: np.ndarray
    labels: np.ndarray
    intensities: np.ndarray
    motion: np.ndarray
    people: np.ndarray
    crop: str = "box"


def draw_person(rng: np.random.Generator, models: Sequence[FaceModel], blend: bool) -> UnitMotions:
    """A new person: of one of the models or drawn by hand, or with `blend` a mixture of all of them."""
    if blend:
        return blended_motions([*(face_motions(model, rng) for model in models), drawn_motions(rng)], rng)
    kind = int(rng.integers(len(models) + 1))
    return face_motions(models[kind], rng) if kind < len(models) else drawn_motions(rng)


def micro_flows(
    models: Sequence[FaceModel],
    people: int = 1600,
    clips: int = 12,
    seed: int = 0,
    hardship: float = 1.0,
    any_units: bool = False,
    crop: str = "box",
    track: Track | None = None,
) -> MicroFlows:
    """Draw `people` with `clips` each; half of them have the face of one model, half a mixture.

    Parameters
    ----------
    models : sequence of FaceModel
        May be empty: then all are drawn by hand, which needs no face model.
    people, clips, seed : int
    hardship : float
        Factor of all that spoils the flow; 0 leaves the exact expression, smoothed.
    any_units : bool
        One to four units by chance instead of an expression of a class; the label is blank. A readout has to learn
        each unit apart from those that it mostly comes with.
    crop : {"box", "aligned"}
        `aligned` gives what is seen on mer's aligned crop, zero around the face, as expression flow is.
    track : function, optional
        Wraps the iterator over people, to show progress.
    """
    if crop not in ("box", "aligned"):
        raise ValueError(f"no crop {crop!r}; there are box and aligned")
    if people < 1 or clips < 1:
        raise ValueError(f"{people} people with {clips} clips; expected at least 1")
    share = np.array(list(CLASS_COUNTS.values())) / sum(CLASS_COUNTS.values())
    parts = []
    for person in track(range(people), people, "people") if track else range(people):
        rng = np.random.default_rng([seed, person])
        motions = draw_person(rng, models, blend=person % 2 == 1)
        recording = draw_recording(rng, SIZE, hardship)
        reach = np.hypot(motions.fields[..., 0], motions.fields[..., 1]).max((1, 2))
        for _ in range(clips):
            label = "" if any_units else str(rng.choice(list(CLASS_COUNTS), p=share))
            shown = _units_by_chance(rng) if any_units else draw_intensities(label, rng, 1.0)
            flow, intensities = _clip(motions, recording, shown, rng, crop)
            parts.append((flow, label, intensities, intensities * reach, person))
    flows, labels, intensities, motion, owners = (np.array(column) for column in zip(*parts))
    return MicroFlows(flows, labels, intensities, motion, owners, crop)


def _units_by_chance(rng: np.random.Generator) -> np.ndarray:
    intensities = np.zeros(len(UNITS))
    for number in rng.choice(list(ACTION_UNITS), rng.integers(1, 5), replace=False):
        sides = [k for k, unit in enumerate(UNITS) if unit.lstrip("LR") == number]
        one_sided = len(sides) == 2 and rng.random() < 0.3
        for k in rng.permutation(sides)[: 1 if one_sided else 2]:
            intensities[k] = rng.uniform(0.3, 1.0)
    return intensities


def _clip(
    motions: UnitMotions, recording: Recording, intensities: np.ndarray, rng: np.random.Generator, crop: str
) -> tuple[np.ndarray, np.ndarray]:
    """Flow `(28, 28, 2)` and intensities `(units,)` of a clip that shows units in these proportions."""
    wanted = np.clip(0.01 * np.exp(rng.normal(0, 0.6)), 0.002, 0.06)  # the strongest motion, interocular distances
    intensities = intensities * (wanted / max(peak_length(expression_flow(motions, intensities)), 1e-6))
    if rng.random() < 0.3:  # something else that goes on in the face
        other = draw_intensities(list(PATTERNS)[rng.integers(len(PATTERNS))], rng, 1.0)
        intensities += other * (wanted * rng.uniform(0, 0.5) / max(peak_length(expression_flow(motions, other)), 1e-6))
    if rng.random() < 0.15:
        intensities[_BLINK] += rng.uniform(0.02, 0.5) * rng.uniform(0.3, 1)
    seen = estimate(expression_flow(motions, intensities), motions, recording, rng)
    box = np.array(recording.box) + rng.normal(0, 0.02, 4)
    if crop == "aligned":
        inside = (seen * motions.mask[..., None]).astype(np.float32)
        return cv2.resize(inside, (28, 28), interpolation=cv2.INTER_AREA), intensities.astype(np.float32)
    return face_box(seen, (box[0], box[1], box[2], box[3])), intensities.astype(np.float32)


def peak_length(flow: np.ndarray) -> float:
    """Length of the longest vector of flow `(..., 2)`."""
    return float(np.hypot(flow[..., 0], flow[..., 1]).max())
