"""How faces and heads move: emotions as sets of action units, their course in time, and the head's own motion.

Which units go with which emotion: Ekman & Friesen's EMFACS for full expressions; for micro-expressions the coding of
CASME II (Yan et al., PLoS ONE 2014) and the objective classes of Davison, Merghani & Yap (J. Imaging 2018).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from mer.synth.blendshapes import ACTION_UNITS, shape_weights
from mer.synth.head import SKIN, Head
from mer.synth.scene import State

# `/` is drawn as one of the two sides, a unit in brackets is there half of the time.
EXPRESSIONS: dict[str, list[str]] = {
    "neutral": ["", "25", "45"],
    "happy": ["6+12", "6+12+25", "6+12+25+26", "12"],
    "sad": ["1+4+15", "1+15(17)", "4+15+17", "1+4(25)"],
    "surprise": ["1+2+5+26", "1+2+5+27", "1+2(26)", "1+2+5(25)"],
    "fear": ["1+2+4+5+20+25", "1+2+4+5+7+20+26", "1+4+5+25"],
    "disgust": ["9+10(25)", "9+15+16+25", "9+17", "4+9+10"],
    "anger": ["4+5+7+23", "4+5+7+24", "4+7+10+25", "4+7+17+24"],
    "contempt": ["/14", "/12+/14", "/14(17)"],
}
MICRO: dict[str, list[str]] = {
    "happiness": ["6+12", "12", "/12", "6+/12", "12(25)"],
    "surprise": ["1+2", "1+2+5", "5", "/2", "1+2(25)"],
    "disgust": ["9", "4+9", "10", "/10", "4+7+9", "9+17"],
    "anger": ["4", "4+7", "4+5", "23", "4+24"],
    "sadness": ["1+4", "15", "1+15", "15+17", "1"],
    "fear": ["1+2+4", "20", "1+2+4+5", "4+5(20)"],
    "contempt": ["/14", "/14+/12"],
    "repression": ["14", "15(17)", "17", "24", "14+17"],
}
COMPOSITE = {  # the three classes of the composite protocol of MEGC 2019
    "negative": ["disgust", "anger", "sadness", "fear", "contempt", "repression"],
    "positive": ["happiness"],
    "surprise": ["surprise"],
}
INTEROCULAR_224 = 96.0  # pixels between the outer corners of the eyes in a face crop of 224 px
LENGTHS = (5, 10, 15, 20)  # frames of a sequence, as in FacialFlowNet


@dataclass(frozen=True)
class Clip:
    """The states of a sequence, and what it shows.

    Attributes
    ----------
    emotion : str
    states : list of State
    units : dict of str to float
        The action units of the expression at its strongest.
    onset, apex, offset : int
        Frame numbers.
    distractors : list of str
        What moves besides the expression: `blink`, `gaze`, `swallow`.
    fps : float
    """

    emotion: str
    states: list[State]
    units: dict[str, float]
    onset: int
    apex: int
    offset: int
    distractors: list[str] = field(default_factory=list)
    fps: float = 25.0


def draw_units(patterns: list[str], rng: np.random.Generator) -> list[str]:
    """One of the patterns as units: `"6+/12(25)"` may become `["6", "L12", "25"]`."""
    pattern = patterns[rng.integers(len(patterns))]
    main, _, optional = pattern.rstrip(")").partition("(")
    units = [unit for unit in main.split("+") if unit]
    if optional and rng.random() < 0.5:
        units.append(optional)
    side = "LR"[rng.integers(2)]
    return [unit.replace("/", side) for unit in units]


def peak_motion(head: Head, face_model: str, units: dict[str, float]) -> float:
    """How far the skin moves at most, in pixels of a face crop of 224 px."""
    skin = head.part == SKIN
    offsets = np.zeros((len(head.vertices), 3))
    for shape, weight in shape_weights(units, face_model).items():
        offsets += weight * head.offsets(shape)
    return float(np.linalg.norm(offsets[skin, :2], axis=1).max() * INTEROCULAR_224) if units else 0.0


def ffn_clip(head: Head, face_model: str, rng: np.random.Generator, frames: int | None = None) -> Clip:
    """Large expressions and head motion, from a first state to a last one, as in FacialFlowNet (Section 3)."""
    frames = frames or int(rng.choice(LENGTHS))
    emotion = str(rng.choice(list(EXPRESSIONS)))
    last = {unit: float(rng.uniform(0.45, 1.0)) for unit in draw_units(EXPRESSIONS[emotion], rng)}
    first: dict[str, float] = {}
    if rng.random() < 0.5:
        other = str(rng.choice(list(EXPRESSIONS)))
        first = {unit: float(rng.uniform(0.1, 0.6)) for unit in draw_units(EXPRESSIONS[other], rng)}
    pose = np.clip(rng.normal(0, [6, 9, 5], (2, 3)), [-12, -20, -12], [12, 20, 12])
    place = np.clip(rng.normal(0, [0.12, 0.10, 0.35], (2, 3)), [-0.25, -0.2, -0.8], [0.25, 0.2, 0.8])
    gaze = rng.normal(0, 0.12, (2, 2))
    light, drift = draw_light(rng), rng.normal(0, 0.03, 3)
    bend = rng.uniform(0.7, 1.5)  # the course in time differs between expression and head
    states = []
    for i in range(frames):
        t = i / (frames - 1)
        e, h = float(_ease(t**bend)), float(_ease(t))
        units = {u: (1 - e) * first.get(u, 0.0) + e * last.get(u, 0.0) for u in {**first, **last}}
        states.append(
            State(
                units={u: v for u, v in units.items() if v > 0},
                gaze=_pair((1 - h) * gaze[0] + h * gaze[1]),
                rotation=_triple((1 - h) * pose[0] + h * pose[1]),
                translation=_triple((1 - h) * place[0] + h * place[1]),
                light=_triple(light + t * drift),
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
    """A micro-expression: few units, little motion, onset to apex to offset within half a second.

    Parameters
    ----------
    frames : int
        2 gives the onset and the apex alone.
    emotion, units
        Drawn if not given; `units` are taken as they are, without scaling to a drawn amount of motion.
    head_motion : float
        Factor of the head's own motion; 0 keeps it still.
    lead : int
        Frames before the onset.
    distraction : float
        Factor of the probability of a blink, a glance or a swallow.
    """
    emotion = emotion or str(rng.choice(list(MICRO)))
    if units is None:
        drawn = {unit: float(rng.uniform(0.6, 1.0)) for unit in draw_units(MICRO[emotion], rng)}
        # Log-normal about 1 px: nine in ten between 0.2 and 4.
        wanted = float(np.clip(np.exp(rng.normal(np.log(0.95), 0.75)), 0.1, 6.0))
        factor = wanted / max(peak_motion(head, face_model, drawn), 1e-6)
        units = {unit: min(value * factor, 1.0) for unit, value in drawn.items()}
    base: dict[str, float] = {}
    if rng.random() < 0.3:  # a face is seldom quite at rest
        base = {str(rng.choice(["4", "7", "12", "17", "24"])): float(rng.uniform(0.02, 0.15))}
    rest_pose = np.clip(rng.normal(0, [3.0, 4.0, 2.5]), -10, 10)
    rest_place = rng.normal(0, [0.04, 0.04, 0.1])
    gaze = rng.normal(0, 0.05, 2)
    light = draw_light(rng)
    fps = fps or float(rng.choice([60, 100, 120, 200]))
    if frames == 2:
        onset, apex, offset, strength = 0, 1, 1, np.array([0.0, 1.0])
        seconds = float(rng.uniform(0.04, 0.25))
        times = np.array([0.0, seconds])
    else:
        duration = float(np.clip(rng.uniform(0.04, 0.5), 3 / fps, max((frames - lead - 1) / fps, 3 / fps)))
        rise = float(rng.uniform(0.35, 0.6)) * duration
        times = np.arange(frames) / fps
        onset = lead
        apex = min(max(onset + round(rise * fps), onset + 1), frames - 1)
        offset = min(max(onset + round(duration * fps), apex), frames - 1)
        strength = _profile(np.arange(frames), onset, apex, offset)
    # The head drifts: a smooth random walk of turning and shifting.
    speed = rng.normal(0, [1.6, 2.0, 1.2]) * head_motion  # degrees a second, times the square root of time below
    shift = rng.normal(0, [0.05, 0.05, 0.10]) * head_motion
    wobble, phase = rng.normal(0, 0.3, 3) * head_motion, rng.uniform(0, 2 * np.pi, 3)
    distractors = [
        name
        for name, chance in (("blink", 0.10), ("gaze", 0.15), ("swallow", 0.06))
        if rng.random() < chance * distraction
    ]
    glance = rng.normal(0, 0.12, 2)
    blink_at, blink_depth = float(rng.uniform(0.2, 0.9)), float(rng.uniform(0.3, 1.0))
    flicker, length = rng.normal(0, 0.006, frames), max(times[-1], 1e-6)
    states = []
    for i in range(frames):
        t = times[i]
        way = np.sqrt(t * max(length, 0.05))
        now = dict(base)
        for unit, value in units.items():
            now[unit] = min(now.get(unit, 0.0) + value * strength[i], 1.0)
        moment = t / length
        if "blink" in distractors:
            closed = (
                blink_depth * moment if frames == 2 else blink_depth * np.exp(-(((t - blink_at * length) / 0.05) ** 2))
            )
            now["45"] = min(now.get("45", 0.0) + float(closed), 1.0)
        if "swallow" in distractors:
            swell = moment if frames == 2 else np.sin(np.pi * moment)
            now["17"] = min(now.get("17", 0.0) + 0.12 * float(swell), 1.0)
            now["24"] = min(now.get("24", 0.0) + 0.15 * float(swell), 1.0)
        looking = gaze + (glance * (moment > 0.5) if "gaze" in distractors else 0)
        states.append(
            State(
                units={u: v for u, v in now.items() if v > 0},
                gaze=_pair(looking),
                rotation=_triple(rest_pose + speed * way + wobble * (np.sin(6 * t + phase) - np.sin(phase))),
                translation=_triple(rest_place + shift * way),
                light=_triple(light),
                exposure=float(1 + flicker[i]),
            )
        )
    return Clip(emotion, states, units, onset, apex, offset, distractors, fps)


def quiet(clip: Clip) -> Clip:
    """The clip without any change of light."""
    steady = [replace(state, light=(0.0, 0.0, 0.0), exposure=1.0) for state in clip.states]
    return replace(clip, states=steady)


def draw_light(rng: np.random.Generator) -> np.ndarray:
    """Direction and strength of a lamp somewhere above and before the face."""
    direction = np.array([rng.normal(0, 0.7), rng.normal(-0.4, 0.4), -1.0])
    return direction / np.linalg.norm(direction) * rng.uniform(0.0, 0.55)


def all_units() -> list[str]:
    """Every unit of the table, in the order of its numbers."""
    return sorted(ACTION_UNITS, key=int)


def _profile(frame: np.ndarray, onset: int, apex: int, offset: int) -> np.ndarray:
    """0 up to the onset, 1 at the apex, 0 from the offset on, smooth between."""
    up = np.clip((frame - onset) / max(apex - onset, 1), 0, 1)
    down = np.clip((offset - frame) / max(offset - apex, 1), 0, 1) if offset > apex else np.ones(len(frame))
    return np.where(frame <= apex, _ease(up), _ease(down))


def _ease(t: np.ndarray | float) -> np.ndarray:
    return np.asarray(t) ** 2 * (3 - 2 * np.asarray(t))


def _pair(values: np.ndarray) -> tuple[float, float]:
    return float(values[0]), float(values[1])


def _triple(values: np.ndarray) -> tuple[float, float, float]:
    return float(values[0]), float(values[1]), float(values[2])
