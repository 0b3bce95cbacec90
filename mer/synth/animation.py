"""Animation of faces and heads: the course of an expression over time, and the head's own motion."""

from dataclasses import dataclass, field

import numpy as np

from mer.synth.blendshapes import shape_weights
from mer.synth.expressions import FULL_EXPRESSIONS, MICRO_EXPRESSIONS, draw_units
from mer.synth.head import SKIN, Head
from mer.synth.scene import State

INTEROCULAR_224 = 96.0  # pixels between the outer corners of the eyes in a face crop of 224 px
LENGTHS = (5, 10, 15, 20)  # frames of a sequence, as in FacialFlowNet


@dataclass(frozen=True)
class Clip:
    """A sequence of states, one per frame, with its labels."""

    emotion: str
    states: list[State]
    units: dict[str, float]  # action units and their intensities at the apex
    onset: int  # frame number, as are the next two
    apex: int
    offset: int
    distractors: list[str] = field(default_factory=list)  # other motion: `blink`, `gaze`, `swallow`
    fps: float = 25.0


def peak_motion(head: Head, face_model: str, units: dict[str, float]) -> float:
    """Largest motion of the skin at these intensities, in pixels of a 224 px face crop."""
    if not units:
        return 0.0
    offsets = np.zeros((len(head.vertices), 3))
    for shape, weight in shape_weights(units, face_model).items():
        offsets += weight * head.offsets(shape)
    return float(np.linalg.norm(offsets[head.part == SKIN, :2], axis=1).max() * INTEROCULAR_224)


def ffn_clip(head: Head, face_model: str, rng: np.random.Generator, frames: int | None = None) -> Clip:
    """Draw a large motion of face and head from a first state to a last one, as in FacialFlowNet (Section 3)."""
    frames = frames or int(rng.choice(LENGTHS))
    emotion = str(rng.choice(list(FULL_EXPRESSIONS)))
    last = {unit: float(rng.uniform(0.45, 1.0)) for unit in draw_units(FULL_EXPRESSIONS[emotion], rng)}
    first: dict[str, float] = {}
    if rng.random() < 0.5:
        other = str(rng.choice(list(FULL_EXPRESSIONS)))
        first = {unit: float(rng.uniform(0.1, 0.6)) for unit in draw_units(FULL_EXPRESSIONS[other], rng)}
    rotation = np.clip(rng.normal(0, [6, 9, 5], (2, 3)), [-12, -20, -12], [12, 20, 12])
    translation = np.clip(rng.normal(0, [0.12, 0.10, 0.35], (2, 3)), [-0.25, -0.2, -0.8], [0.25, 0.2, 0.8])
    gaze = rng.normal(0, 0.12, (2, 2))
    light, drift = draw_light(rng), rng.normal(0, 0.03, 3)
    exponent = rng.uniform(0.7, 1.5)  # the expression and the head have different time courses
    states = []
    for i in range(frames):
        t = i / (frames - 1)
        e, h = float(_ease(t**exponent)), float(_ease(t))
        units = {u: (1 - e) * first.get(u, 0.0) + e * last.get(u, 0.0) for u in {**first, **last}}
        states.append(
            State(
                units={u: v for u, v in units.items() if v > 0},
                gaze=_floats((1 - h) * gaze[0] + h * gaze[1]),
                rotation=_floats((1 - h) * rotation[0] + h * rotation[1]),
                translation=_floats((1 - h) * translation[0] + h * translation[1]),
                light=_floats(light + t * drift),
                exposure=float(1 + 0.03 * t * drift[0] / 0.03),
            )
        )
    return Clip(emotion, states, last, 0, frames - 1, frames - 1)


def micro_clip(
    head: Head,
    face_model: str,
    rng: np.random.Generator,
    frames: int = 2,
    *,
    emotion: str | None = None,
    units: dict[str, float] | None = None,
    head_motion: float = 1.0,
    lead: int = 0,
    fps: float | None = None,
    distraction: float = 1.0,
) -> Clip:
    """Draw a micro-expression: few units, little motion, from onset to offset within half a second.

    With two `frames`, the clip consists of the onset and the apex; `lead` is the number of frames before the onset. By
    default, `emotion` (a key of :data:`mer.synth.expressions.MICRO_EXPRESSIONS`), `units` (intensities at the apex) and
    `fps` are drawn. `head_motion` is a factor of the head's motion, `distraction` of the probability of a blink, a
    glance or a swallow.
    """
    emotion = emotion or str(rng.choice(list(MICRO_EXPRESSIONS)))
    if units is None:
        units = _draw_intensities(head, face_model, emotion, rng)
    tension: dict[str, float] = {}
    if rng.random() < 0.3:  # a face is seldom completely relaxed
        tension = {str(rng.choice(["4", "7", "12", "17", "24"])): float(rng.uniform(0.02, 0.15))}
    rest_rotation = np.clip(rng.normal(0, [3.0, 4.0, 2.5]), -10, 10)
    rest_translation = rng.normal(0, [0.04, 0.04, 0.1])
    gaze = rng.normal(0, 0.05, 2)
    light = draw_light(rng)
    fps = fps or float(rng.choice([60, 100, 120, 200]))
    if frames == 2:
        onset, apex, offset, strength = 0, 1, 1, np.array([0.0, 1.0])
        times = np.array([0.0, float(rng.uniform(0.04, 0.25))])
    else:
        duration = float(np.clip(rng.uniform(0.04, 0.5), 3 / fps, max((frames - lead - 1) / fps, 3 / fps)))
        rise = float(rng.uniform(0.35, 0.6)) * duration
        times = np.arange(frames) / fps
        onset = lead
        apex = min(max(onset + round(rise * fps), onset + 1), frames - 1)
        offset = min(max(onset + round(duration * fps), apex), frames - 1)
        strength = _time_course(np.arange(frames), onset, apex, offset)
    # The head drifts by an amount that grows with the square root of time, as in a random walk, and wobbles.
    turn = rng.normal(0, [1.6, 2.0, 1.2]) * head_motion  # degrees after one second
    shift = rng.normal(0, [0.05, 0.05, 0.10]) * head_motion
    wobble, phase = rng.normal(0, 0.3, 3) * head_motion, rng.uniform(0, 2 * np.pi, 3)
    distractors = [
        name
        for name, probability in (("blink", 0.10), ("gaze", 0.15), ("swallow", 0.06))
        if rng.random() < probability * distraction
    ]
    glance = rng.normal(0, 0.12, 2)
    blink_at, blink_depth = float(rng.uniform(0.2, 0.9)), float(rng.uniform(0.3, 1.0))
    flicker, length = rng.normal(0, 0.006, frames), max(times[-1], 1e-6)
    states = []
    for i in range(frames):
        t = times[i]
        drift, moment = np.sqrt(t * max(length, 0.05)), t / length
        now = dict(tension)
        for unit, value in units.items():
            now[unit] = min(now.get(unit, 0.0) + value * strength[i], 1.0)
        if "blink" in distractors:
            bell = moment if frames == 2 else np.exp(-(((t - blink_at * length) / 0.05) ** 2))
            now["45"] = min(now.get("45", 0.0) + float(blink_depth * bell), 1.0)
        if "swallow" in distractors:
            swell = float(moment if frames == 2 else np.sin(np.pi * moment))
            now["17"] = min(now.get("17", 0.0) + 0.12 * swell, 1.0)
            now["24"] = min(now.get("24", 0.0) + 0.15 * swell, 1.0)
        states.append(
            State(
                units={u: v for u, v in now.items() if v > 0},
                gaze=_floats(gaze + (glance * (moment > 0.5) if "gaze" in distractors else 0)),
                rotation=_floats(rest_rotation + turn * drift + wobble * (np.sin(6 * t + phase) - np.sin(phase))),
                translation=_floats(rest_translation + shift * drift),
                light=_floats(light),
                exposure=float(1 + flicker[i]),
            )
        )
    return Clip(emotion, states, units, onset, apex, offset, distractors, fps)


def _draw_intensities(head: Head, face_model: str, emotion: str, rng: np.random.Generator) -> dict[str, float]:
    """Units of a micro-expression, scaled to a log-normal peak motion: nine in ten between 0.2 and 4 px of 224."""
    drawn = {unit: float(rng.uniform(0.6, 1.0)) for unit in draw_units(MICRO_EXPRESSIONS[emotion], rng)}
    amount = float(np.clip(np.exp(rng.normal(np.log(0.95), 0.75)), 0.1, 6.0))
    factor = amount / max(peak_motion(head, face_model, drawn), 1e-6)
    return {unit: min(value * factor, 1.0) for unit, value in drawn.items()}


def draw_light(rng: np.random.Generator) -> np.ndarray:
    """Direction `(3,)` to a lamp above and in front of the face, times its strength (0 to 0.55)."""
    direction = np.array([rng.normal(0, 0.7), rng.normal(-0.4, 0.4), -1.0])
    return direction / np.linalg.norm(direction) * rng.uniform(0.0, 0.55)


def _time_course(frame: np.ndarray, onset: int, apex: int, offset: int) -> np.ndarray:
    """0 up to the onset, 1 at the apex, 0 from the offset on, smooth in between; 1 after the apex without an offset."""
    rise = np.clip((frame - onset) / max(apex - onset, 1), 0, 1)
    fall = np.clip((offset - frame) / max(offset - apex, 1), 0, 1) if offset > apex else np.ones(len(frame))
    return np.where(frame <= apex, _ease(rise), _ease(fall))


def _ease(t: np.ndarray | float) -> np.ndarray:
    """Smoothstep from 0 to 1."""
    return np.asarray(t) ** 2 * (3 - 2 * np.asarray(t))


def _floats(values: np.ndarray) -> tuple[float, ...]:
    return tuple(map(float, values))
