"""Labeled flow of synthetic people who show micro-expressions, to train classifiers without recorded data."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from mer.face.align import face_box
from mer.synth.blendshapes import UNIT_SHAPES
from mer.synth.drawn_motions import drawn_motions
from mer.synth.expressions import CLASS_COUNTS, CLASS_PATTERNS
from mer.synth.face_model import FaceModel
from mer.synth.flow_degradation import Recording, degrade_flow, draw_recording
from mer.synth.unit_motions import (
    SIZE,
    UNITS,
    UnitMotions,
    blended_motions,
    draw_intensities,
    expression_flow,
    face_motions,
)
from mer.utils.progress import Track, untracked

FIELD = 28  # side of the resulting flow, pixels
_BLINK = [UNITS.index("L45"), UNITS.index("R45")]


@dataclass(frozen=True, eq=False)
class MicroFlows:
    """Flow of synthetic micro-expressions, one row per clip.

    Attributes
    ----------
    flows : float32 (n, 28, 28, 2)
        In interocular distances, as a flow method would estimate it.
    labels : (n,) of str
        negative, positive or surprise.
    intensities : float32 (n, units)
        Intensities of :data:`mer.synth.unit_motions.UNITS`, 0 to 1, of everything that the face shows.
    motion : float32 (n, units)
        Largest motion of the skin that each unit causes, interocular distances. Unlike intensities, whose scale differs
        between face models, it can be compared between units and faces.
    people : int (n,)
    crop : {"box", "aligned"}
        The area of the fields: the face box, as in published images, or mer's aligned crop, masked.
    """

    flows: np.ndarray
    labels: np.ndarray
    intensities: np.ndarray
    motion: np.ndarray
    people: np.ndarray
    crop: str = "box"


def draw_person(rng: np.random.Generator, models: Sequence[FaceModel], blend: bool) -> UnitMotions:
    """Draw a person: one of the models or drawn by hand, or, with `blend`, a mixture of all of these."""
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
    """Draw people and their clips; half of the people have one kind of face, half a mixture of all kinds.

    Parameters
    ----------
    models : sequence of FaceModel
        If empty, all faces are drawn by hand.
    people : int
    clips : int
        Per person.
    seed : int
    hardship : float
        Factor of everything that degrades the flow; 0 leaves the exact expression, smoothed.
    any_units : bool
        Show one to four random units instead of an expression of a class; labels are blank. A reader of action units
        needs such clips to separate units that usually occur together.
    crop : {"box", "aligned"}
        `aligned` gives flow on mer's aligned crop, zero around the face, as expression flow is.
    track : function, optional
        Wraps the iterator over people, to show progress.
    """
    if crop not in ("box", "aligned"):
        raise ValueError(f"unknown crop {crop!r}; choose box or aligned")
    if people < 1 or clips < 1:
        raise ValueError(f"{people} people with {clips} clips; expected at least 1")
    class_share = np.array(list(CLASS_COUNTS.values())) / sum(CLASS_COUNTS.values())
    rows = []
    for person in (track or untracked)(range(people), people, "people"):
        rng = np.random.default_rng([seed, person])
        motions = draw_person(rng, models, blend=person % 2 == 1)
        recording = draw_recording(rng, SIZE, hardship)
        unit_motion = np.hypot(motions.fields[..., 0], motions.fields[..., 1]).max((1, 2))
        for _ in range(clips):
            label = "" if any_units else str(rng.choice(list(CLASS_COUNTS), p=class_share))
            proportions = _random_units(rng) if any_units else draw_intensities(label, rng, 1.0)
            flow, intensities = _draw_clip(motions, recording, proportions, rng, crop)
            rows.append((flow, label, intensities, intensities * unit_motion, person))
    flows, labels, intensities, motion, owners = (np.array(column) for column in zip(*rows))
    return MicroFlows(flows, labels, intensities, motion, owners, crop)


def _random_units(rng: np.random.Generator) -> np.ndarray:
    intensities = np.zeros(len(UNITS))
    for number in rng.choice(list(UNIT_SHAPES), rng.integers(1, 5), replace=False):
        sides = [k for k, unit in enumerate(UNITS) if unit.lstrip("LR") == number]
        one_sided = len(sides) == 2 and rng.random() < 0.3
        for k in rng.permutation(sides)[: 1 if one_sided else 2]:
            intensities[k] = rng.uniform(0.3, 1.0)
    return intensities


def _draw_clip(
    motions: UnitMotions, recording: Recording, proportions: np.ndarray, rng: np.random.Generator, crop: str
) -> tuple[np.ndarray, np.ndarray]:
    """Flow `(28, 28, 2)` and intensities `(units,)` of a clip that shows the units in these proportions."""
    amount = np.clip(0.01 * np.exp(rng.normal(0, 0.6)), 0.002, 0.06)  # the largest motion, interocular distances
    intensities = proportions * (amount / max(peak_length(expression_flow(motions, proportions)), 1e-6))
    if rng.random() < 0.3:  # unrelated motion of the face
        other = draw_intensities(list(CLASS_PATTERNS)[rng.integers(len(CLASS_PATTERNS))], rng, 1.0)
        intensities += other * (amount * rng.uniform(0, 0.5) / max(peak_length(expression_flow(motions, other)), 1e-6))
    if rng.random() < 0.15:
        intensities[_BLINK] += rng.uniform(0.02, 0.5) * rng.uniform(0.3, 1)
    flow = degrade_flow(expression_flow(motions, intensities), motions, recording, rng)
    left, top, right, bottom = np.array(recording.box) + rng.normal(0, 0.02, 4)
    if crop == "aligned":
        masked = (flow * motions.mask[..., None]).astype(np.float32)
        return cv2.resize(masked, (FIELD, FIELD), interpolation=cv2.INTER_AREA), intensities.astype(np.float32)
    return face_box(flow, (left, top, right, bottom)), intensities.astype(np.float32)


def peak_length(flow: np.ndarray) -> float:
    """Length of the longest vector of flow `(..., 2)`."""
    return float(np.hypot(flow[..., 0], flow[..., 1]).max())
