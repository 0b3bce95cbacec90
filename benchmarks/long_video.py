"""Rendered long videos of a person at rest, with occasional expressions, blinks, glances, talk and head motion.

Onset, apex and offset of each expression are known exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter1d

from mer.datasets.video import write_video
from mer.synth.animation import draw_light, peak_motion
from mer.synth.background import draw_background
from mer.synth.camera import draw_image_quality, frame_camera, take_picture
from mer.synth.expressions import FULL_EXPRESSIONS, MICRO_EXPRESSIONS, draw_units
from mer.synth.face_model_registry import cached_face_model
from mer.synth.head import Head, make_head
from mer.synth.people import Person, draw_portrait
from mer.synth.scene import Scene, State, render

MICRO_SECONDS = (0.16, 0.5)
MACRO_SECONDS = (0.7, 3.0)
GAP = 0.6  # minimum seconds between two expressions
_PATTERNS = {
    "micro": MICRO_EXPRESSIONS,
    "macro": {name: patterns for name, patterns in FULL_EXPRESSIONS.items() if name not in ("neutral", "contempt")},
}


@dataclass(frozen=True)
class Expression:
    """An expression in a long video; onset, apex and offset are frame numbers."""

    onset: int
    apex: int
    offset: int
    kind: str  # micro or macro
    emotion: str
    units: dict[str, float]


@dataclass(frozen=True)
class LongClip:
    """A long video: one state per frame, and its expressions, sorted by onset.

    `distractors` are `(kind, first frame, last frame)` of blinks, glances (`gaze`), swallows, talk and nods.
    """

    states: list[State]
    expressions: list[Expression]
    distractors: list[tuple[str, int, int]]
    fps: float


def long_clip(
    head: Head,
    face_model: str,
    rng: np.random.Generator,
    seconds: float = 30.0,
    fps: float = 30.0,
    *,
    micro: int = 5,
    macro: int = 2,
    talk: float = 0.15,
    head_motion: float = 1.0,
    distraction: float = 1.0,
) -> LongClip:
    """Draw a long video.

    Parameters
    ----------
    head : Head
    face_model : str
    rng : Generator
    seconds, fps : float
    micro, macro : int
        Number of expressions of up to half a second and of more, with a peak motion of about 1.4 and 6 px of a 224 px
        face crop. There are fewer if they do not fit.
    talk : float
        Share of the time in which jaw and lips move as in speech; no expression starts there.
    head_motion : float
        Factor of the head's motion; 0 keeps it still, 1 is a seated person.
    distraction : float
        Factor of the number of blinks (about 15 per minute), glances, swallows and nods.
    """
    frames = round(seconds * fps)
    times = np.arange(frames) / fps
    talks = _draw_talks(rng, seconds, talk)
    expressions = _draw_expressions(head, face_model, rng, seconds, fps, {"macro": macro, "micro": micro}, talks)
    units: list[dict[str, float]] = [{} for _ in range(frames)]
    for expression in expressions:
        course = _time_course(np.arange(expression.onset, expression.offset + 1), expression)
        for i, strength in zip(range(expression.onset, min(expression.offset + 1, frames)), course):
            for unit, value in expression.units.items():
                units[i][unit] = units[i].get(unit, 0.0) + value * float(strength)
    events = [("talk", start, end) for start, end in talks]
    for start, end in talks:
        _speak(units, times, start, end, rng)
    for start in _random_moments(rng, seconds, 15 * distraction):
        closing, depth = rng.uniform(0.035, 0.07), rng.uniform(0.75, 1.0)
        _add(units, "45", depth * np.exp(-(((times - start) / closing) ** 2)))
        events.append(("blink", start - 2 * closing, start + 2 * closing))
    for start in _random_moments(rng, seconds, 2 * distraction):
        length = rng.uniform(0.5, 0.9)
        swell = _half_sine(times, start, start + length)
        _add(units, "17", 0.12 * swell)
        _add(units, "24", 0.15 * swell)
        events.append(("swallow", start, start + length))
    gaze, glances = _draw_gaze(rng, times, seconds, 10 * distraction)
    rotation, translation, nods = _draw_head_motion(rng, times, fps, head_motion, 4 * distraction * min(head_motion, 1))
    light, flicker = draw_light(rng), rng.normal(0, 0.004, frames)
    states = [
        State(
            units={unit: min(value, 1.0) for unit, value in units[i].items() if value > 1e-4},
            gaze=(float(gaze[i, 0]), float(gaze[i, 1])),
            rotation=tuple(map(float, rotation[i])),  # type: ignore[arg-type]
            translation=tuple(map(float, translation[i])),  # type: ignore[arg-type]
            light=tuple(map(float, light)),  # type: ignore[arg-type]
            exposure=float(1 + flicker[i]),
        )
        for i in range(frames)
    ]
    spans = [(kind, round(start * fps), round(end * fps)) for kind, start, end in events + glances + nods]
    return LongClip(states, expressions, sorted(spans, key=lambda span: span[1]), fps)


# --- expressions ---


def _draw_expressions(
    head: Head,
    face_model: str,
    rng: np.random.Generator,
    seconds: float,
    fps: float,
    counts: dict[str, int],
    talks: list[tuple[float, float]],
) -> list[Expression]:
    taken = [(start - 0.3, end + 0.3) for start, end in talks]
    expressions = []
    for kind, count in counts.items():
        for _ in range(count):
            length = rng.uniform(*(MICRO_SECONDS if kind == "micro" else MACRO_SECONDS))
            start = _free_start(rng, seconds, length, taken)
            if start is None:
                continue
            taken.append((start - GAP, start + length + GAP))
            emotion = str(rng.choice(list(_PATTERNS[kind])))
            drawn = {unit: float(rng.uniform(0.6, 1.0)) for unit in draw_units(_PATTERNS[kind][emotion], rng)}
            amount = 1.4 * np.exp(rng.normal(0, 0.45)) if kind == "micro" else 6.0 * np.exp(rng.normal(0, 0.4))
            factor = amount / max(peak_motion(head, face_model, drawn), 1e-6)
            onset, offset = round(start * fps), round((start + length) * fps)
            apex = onset + round(rng.uniform(0.3, 0.6) * (offset - onset))
            apex = min(max(apex, onset + 1), offset - 1)
            units = {unit: float(min(value * factor, 1.0)) for unit, value in drawn.items()}
            expressions.append(Expression(onset, apex, offset, kind, emotion, units))
    return sorted(expressions, key=lambda expression: expression.onset)


def _free_start(
    rng: np.random.Generator, seconds: float, length: float, taken: list[tuple[float, float]]
) -> float | None:
    """A random free start for an event of this length, with a margin at both ends; None if none is found."""
    for _ in range(200):
        start = rng.uniform(0.5, max(seconds - length - 0.5, 0.5))
        if all(start > b or start + length < a for a, b in taken) and start + length + 0.3 < seconds:
            return float(start)
    return None


def _time_course(frame: np.ndarray, expression: Expression) -> np.ndarray:
    """0 at the onset, 1 at the apex only, 0 at the offset; a macro-expression stays longer near its apex."""
    rise = np.clip((frame - expression.onset) / (expression.apex - expression.onset), 0, 1)
    fall = np.clip((expression.offset - frame) / (expression.offset - expression.apex), 0, 1)
    level = np.where(frame <= expression.apex, rise, fall)
    eased = level**2 * (3 - 2 * level)
    return eased if expression.kind == "micro" else eased**0.6


# --- other motion ---


def _random_moments(rng: np.random.Generator, seconds: float, per_minute: float) -> np.ndarray:
    """Moments of a Poisson process, seconds."""
    return rng.uniform(0, seconds, rng.poisson(per_minute * seconds / 60))


def _half_sine(times: np.ndarray, start: float, end: float) -> np.ndarray:
    """0 outside, a half period of the sine between start and end."""
    inside = (times > start) & (times < end)
    return np.where(inside, np.sin(np.pi * (times - start) / (end - start)), 0.0)


def _add(units: list[dict[str, float]], unit: str, course: np.ndarray) -> None:
    for i in np.flatnonzero(course > 1e-3):
        units[i][unit] = units[i].get(unit, 0.0) + float(course[i])


def _draw_talks(rng: np.random.Generator, seconds: float, share: float) -> list[tuple[float, float]]:
    talks: list[tuple[float, float]] = []
    left = share * seconds
    while left > 1.0:
        length = min(rng.uniform(1.5, 4.0), left)
        start = _free_start(rng, seconds, length, [(a - 1, b + 1) for a, b in talks])
        if start is None:
            break
        talks.append((start, start + length))
        left -= length
    return sorted(talks)


def _speak(
    units: list[dict[str, float]], times: np.ndarray, start: float, end: float, rng: np.random.Generator
) -> None:
    """Three to six syllables per second: the jaw drops, and the lips part, round or stretch by random amounts."""
    at = start
    while at < end - 0.15:
        length = rng.uniform(0.16, 0.33)
        swell = _half_sine(times, at, at + length) ** 0.8
        _add(units, "26", rng.uniform(0.1, 0.45) * swell)
        _add(units, "25", rng.uniform(0.1, 0.5) * swell)
        _add(units, str(rng.choice(["18", "20", "10", "16"])), rng.uniform(0.0, 0.35) * swell)
        at += length * rng.uniform(0.75, 1.0)


def _draw_gaze(
    rng: np.random.Generator, times: np.ndarray, seconds: float, per_minute: float
) -> tuple[np.ndarray, list[tuple[str, float, float]]]:
    gaze = np.zeros((len(times), 2)) + rng.normal(0, 0.05, 2)
    events = []
    for start in np.sort(_random_moments(rng, seconds, per_minute)):
        jump = np.clip((times - start) / 0.05, 0, 1)[:, None]  # a saccade takes about 50 ms
        gaze = gaze + jump * (rng.normal(0, 0.12, 2) - gaze)
        events.append(("gaze", float(start), float(start + 0.05)))
    return gaze, events


def _draw_head_motion(
    rng: np.random.Generator, times: np.ndarray, fps: float, amount: float, nods_per_minute: float
) -> tuple[np.ndarray, np.ndarray, list[tuple[str, float, float]]]:
    """Pitch, yaw, roll `(n, 3)` in degrees, translation `(n, 3)`, and nods: slow sway, faint tremor, nods and turns."""
    n = len(times)

    def smooth_noise(seconds: float) -> np.ndarray:
        """Noise of unit variance, smoothed over this time."""
        frames = seconds * fps
        noise = gaussian_filter1d(rng.standard_normal((n, 6)), frames, axis=0, mode="wrap")
        usual = (2 * np.sqrt(np.pi) * frames) ** -0.5  # its standard deviation in a long video
        # In a short video the noise hardly varies; scaling it to unit variance would turn the head away.
        if n < 6 * frames:
            noise -= noise.mean(axis=0)
        return noise / np.maximum(noise.std(axis=0), 0.3 * usual)

    sizes = np.array([1.5, 2.0, 1.2, 0.03, 0.03, 0.05])
    course = amount * sizes * (smooth_noise(1.5) + 0.12 * smooth_noise(0.25))
    course += np.clip(rng.normal(0, [3.0, 4.0, 2.5, 0.04, 0.04, 0.1]), -8, 8)
    events = []
    for start in _random_moments(rng, times[-1], nods_per_minute):
        length, size = rng.uniform(0.4, 1.2), amount * rng.uniform(2.0, 7.0) * rng.choice([-1, 1])
        course[:, rng.integers(0, 2)] += size * _half_sine(times, start, start + length) ** 2
        events.append(("nod", float(start), float(start + length)))
    return course[:, :3], course[:, 3:], events


# --- videos in files ---


@dataclass(frozen=True)
class LongVideoSettings:
    """Settings of rendered long videos."""

    seconds: float = 30.0
    fps: int = 30
    micro: int = 5
    macro: int = 2
    talk: float = 0.15
    head_motion: float = 1.0
    seed: int = 0
    size: int = 256
    face_model: str = "makehuman"


def make_long_video(
    out: str | Path, number: int, settings: LongVideoSettings, person: Person | None = None
) -> LongClip:
    """Render one person's video to `out/s<number>/video.mp4`, if it is missing, and return its description.

    `person` is one of :func:`mer.synth.people.find_people`; None is a generated face.
    """
    rng = np.random.default_rng([settings.seed, 7, number])
    portrait = draw_portrait(person, 0, rng)
    head = make_head(portrait, cached_face_model(settings.face_model, None))
    size = settings.size
    camera = frame_camera(size * rng.uniform(0.30, 0.36), (size * 0.5, size * 0.43))
    background = draw_background(size, camera, portrait, rng, from_portrait=person is not None)
    scene, quality = Scene(head, settings.face_model, background, camera, size), draw_image_quality(rng, 0.6)
    clip = long_clip(
        head, settings.face_model, rng, settings.seconds, settings.fps, micro=settings.micro, macro=settings.macro,
        talk=settings.talk, head_motion=settings.head_motion,
    )  # fmt: skip
    path = Path(out) / f"s{number:02d}" / "video.mp4"
    if not path.exists():
        write_video(
            path, (take_picture(render(scene, state), quality, rng) for state in clip.states), size, settings.fps
        )
    return clip


def label_rows(number: int, clip: LongClip) -> list[dict[str, object]]:
    """The expressions as rows of `labels.csv`: `subject, clip, onset, apex, offset, kind, label, aus, fps`."""
    return [
        {"subject": f"s{number:02d}", "clip": "video", "onset": expression.onset, "apex": expression.apex,
         "offset": expression.offset, "kind": expression.kind, "label": expression.emotion,
         "aus": "+".join(expression.units), "fps": clip.fps}
        for expression in clip.expressions
    ]  # fmt: skip
