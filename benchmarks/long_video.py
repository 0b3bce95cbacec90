"""Long videos of a person who mostly does nothing: now and then an expression, with blinks, glances, talk and a head
that moves in between. Rendered, so that onset, apex and offset of each expression are known exactly.
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
GAP = 0.6  # seconds between two expressions, at least
_PATTERNS = {
    "micro": MICRO_EXPRESSIONS,
    "macro": {name: patterns for name, patterns in FULL_EXPRESSIONS.items() if name not in ("neutral", "contempt")},
}


@dataclass(frozen=True)
class Shown:
    """An expression in a long video: frame numbers, and what is shown."""

    onset: int
    apex: int
    offset: int
    kind: str  # micro or macro
    emotion: str
    units: dict[str, float]


@dataclass(frozen=True)
class LongClip:
    """The states of a long video, one a frame, and the expressions in it, by onset.

    `distractors` are `(what, first frame, last frame)`: blink, gaze, swallow, talk, nod.
    """

    states: list[State]
    expressions: list[Shown]
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
    seconds, fps : float
    micro, macro : int
        Expressions of up to half a second and of more; their strongest motion is about 1.4 and 6 pixels of a face crop
        of 224 px. As many as find room, a pause between them.
    talk : float
        Share of the time in which the jaw and the lips move as in speech; no expression begins there.
    head_motion : float
        Factor of the head's own motion; 0 keeps it still, 1 is a seated person.
    distraction : float
        Factor of the number of blinks (about 15 a minute), glances, swallows and nods.
    """
    frames = round(seconds * fps)
    times = np.arange(frames) / fps
    talks = _draw_talks(rng, seconds, talk)
    shown = _draw_expressions(head, face_model, rng, seconds, fps, {"macro": macro, "micro": micro}, talks)
    units: list[dict[str, float]] = [{} for _ in range(frames)]
    for each in shown:
        course = _course(np.arange(each.onset, each.offset + 1), each)
        for i, strength in zip(range(each.onset, min(each.offset + 1, frames)), course):
            for unit, value in each.units.items():
                units[i][unit] = units[i].get(unit, 0.0) + value * float(strength)
    events = [("talk", a, b) for a, b in talks]
    for start, end in talks:
        _speak(units, times, start, end, rng)
    for start in _moments(rng, seconds, 15 * distraction):
        closing, depth = rng.uniform(0.035, 0.07), rng.uniform(0.75, 1.0)
        _add(units, "45", depth * np.exp(-(((times - start) / closing) ** 2)))
        events.append(("blink", start - 2 * closing, start + 2 * closing))
    for start in _moments(rng, seconds, 2 * distraction):
        length = rng.uniform(0.5, 0.9)
        swell = _bump(times, start, start + length)
        _add(units, "17", 0.12 * swell)
        _add(units, "24", 0.15 * swell)
        events.append(("swallow", start, start + length))
    gaze, glances = _glances(rng, times, seconds, 10 * distraction)
    pose, place, nods = _head_course(rng, times, fps, head_motion, 4 * distraction * min(head_motion, 1))
    light, flicker = draw_light(rng), rng.normal(0, 0.004, frames)
    states = [
        State(
            units={unit: min(value, 1.0) for unit, value in units[i].items() if value > 1e-4},
            gaze=(float(gaze[i, 0]), float(gaze[i, 1])),
            rotation=tuple(map(float, pose[i])),  # type: ignore[arg-type]
            translation=tuple(map(float, place[i])),  # type: ignore[arg-type]
            light=tuple(map(float, light)),  # type: ignore[arg-type]
            exposure=float(1 + flicker[i]),
        )
        for i in range(frames)
    ]
    spans = [(what, round(a * fps), round(b * fps)) for what, a, b in events + glances + nods]
    return LongClip(states, shown, sorted(spans, key=lambda span: span[1]), fps)


# --- expressions ---


def _draw_expressions(
    head: Head,
    face_model: str,
    rng: np.random.Generator,
    seconds: float,
    fps: float,
    wanted: dict[str, int],
    talks: list[tuple[float, float]],
) -> list[Shown]:
    taken = [(start - 0.3, end + 0.3) for start, end in talks]
    shown = []
    for kind, count in wanted.items():
        for _ in range(count):
            length = rng.uniform(*(MICRO_SECONDS if kind == "micro" else MACRO_SECONDS))
            place = _room(rng, seconds, length, taken)
            if place is None:
                continue
            taken.append((place - GAP, place + length + GAP))
            emotion = str(rng.choice(list(_PATTERNS[kind])))
            drawn = {unit: float(rng.uniform(0.6, 1.0)) for unit in draw_units(_PATTERNS[kind][emotion], rng)}
            amount = 1.4 * np.exp(rng.normal(0, 0.45)) if kind == "micro" else 6.0 * np.exp(rng.normal(0, 0.4))
            factor = amount / max(peak_motion(head, face_model, drawn), 1e-6)
            onset, offset = round(place * fps), round((place + length) * fps)
            apex = onset + round(rng.uniform(0.3, 0.6) * (offset - onset))
            apex = min(max(apex, onset + 1), offset - 1)
            units = {unit: float(min(value * factor, 1.0)) for unit, value in drawn.items()}
            shown.append(Shown(onset, apex, offset, kind, emotion, units))
    return sorted(shown, key=lambda each: each.onset)


def _room(rng: np.random.Generator, seconds: float, length: float, taken: list[tuple[float, float]]) -> float | None:
    """Where an expression of this length fits, with half a second at both ends of the video."""
    for _ in range(200):
        place = rng.uniform(0.5, max(seconds - length - 0.5, 0.5))
        if all(place > end or place + length < start for start, end in taken) and place + length + 0.3 < seconds:
            return float(place)
    return None


def _course(frame: np.ndarray, shown: Shown) -> np.ndarray:
    """0 at the onset, 1 at the apex alone, 0 at the offset; a macro-expression lingers near its apex."""
    up = np.clip((frame - shown.onset) / (shown.apex - shown.onset), 0, 1)
    down = np.clip((shown.offset - frame) / (shown.offset - shown.apex), 0, 1)
    level = np.where(frame <= shown.apex, up, down)
    eased = level**2 * (3 - 2 * level)
    return eased if shown.kind == "micro" else eased**0.6


# --- what is no expression ---


def _moments(rng: np.random.Generator, seconds: float, per_minute: float) -> np.ndarray:
    """Moments that come at random, seconds."""
    return rng.uniform(0, seconds, rng.poisson(per_minute * seconds / 60))


def _bump(times: np.ndarray, start: float, end: float) -> np.ndarray:
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
        start = _room(rng, seconds, length, [(a - 1, b + 1) for a, b in talks])
        if start is None:
            break
        talks.append((start, start + length))
        left -= length
    return sorted(talks)


def _speak(
    units: list[dict[str, float]], times: np.ndarray, start: float, end: float, rng: np.random.Generator
) -> None:
    """Syllables, three to six a second: the jaw drops, and the lips part, round or stretch, each time differently."""
    at = start
    while at < end - 0.15:
        length = rng.uniform(0.16, 0.33)
        swell = _bump(times, at, at + length) ** 0.8
        _add(units, "26", rng.uniform(0.1, 0.45) * swell)
        _add(units, "25", rng.uniform(0.1, 0.5) * swell)
        _add(units, str(rng.choice(["18", "20", "10", "16"])), rng.uniform(0.0, 0.35) * swell)
        at += length * rng.uniform(0.75, 1.0)


def _glances(
    rng: np.random.Generator, times: np.ndarray, seconds: float, per_minute: float
) -> tuple[np.ndarray, list[tuple[str, float, float]]]:
    gaze = np.zeros((len(times), 2)) + rng.normal(0, 0.05, 2)
    events = []
    for start in np.sort(_moments(rng, seconds, per_minute)):
        jump = np.clip((times - start) / 0.05, 0, 1)[:, None]  # a saccade takes some fifty milliseconds
        gaze = gaze + jump * (rng.normal(0, 0.12, 2) - gaze)
        events.append(("gaze", float(start), float(start + 0.05)))
    return gaze, events


def _head_course(
    rng: np.random.Generator, times: np.ndarray, fps: float, amount: float, nods_per_minute: float
) -> tuple[np.ndarray, np.ndarray, list[tuple[str, float, float]]]:
    """Pitch, yaw, roll in degrees `(n, 3)` and place `(n, 3)`: a slow sway, a faint tremor, now and then a nod or a
    turn.
    """
    n = len(times)

    def wander(seconds: float) -> np.ndarray:  # smooth noise of unit variance, that changes in so many seconds
        frames = seconds * fps
        noise = gaussian_filter1d(rng.standard_normal((n, 6)), frames, axis=0, mode="wrap")
        usual = (2 * np.sqrt(np.pi) * frames) ** -0.5  # deviation of such noise in a long video
        # In a short one it hardly changes, and to bring it to unit variance all the same would turn the head away.
        if n < 6 * frames:
            noise -= noise.mean(axis=0)
        return noise / np.maximum(noise.std(axis=0), 0.3 * usual)

    sizes = np.array([1.5, 2.0, 1.2, 0.03, 0.03, 0.05])
    course = amount * sizes * (wander(1.5) + 0.12 * wander(0.25))
    course += np.clip(rng.normal(0, [3.0, 4.0, 2.5, 0.04, 0.04, 0.1]), -8, 8)
    events = []
    for start in _moments(rng, times[-1], nods_per_minute):
        length, size = rng.uniform(0.4, 1.2), amount * rng.uniform(2.0, 7.0) * rng.choice([-1, 1])
        course[:, rng.integers(0, 2)] += size * _bump(times, start, start + length) ** 2
        events.append(("nod", float(start), float(start + length)))
    return course[:, :3], course[:, 3:], events


# --- videos in files ---


@dataclass(frozen=True)
class LongVideoSettings:
    """What rendered long videos depend on."""

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
    """Render one person's long video to `out/s<number>/video.mp4`; rendered already, it is only described.

    `person` is one of :func:`mer.synth.people.find_people`; by default a face that belongs to nobody.
    """
    rng = np.random.default_rng([settings.seed, 7, number])
    portrait = draw_portrait(person, 0, rng)
    head = make_head(portrait, cached_face_model(settings.face_model, None))
    size = settings.size
    camera = frame_camera(size * rng.uniform(0.30, 0.36), (size * 0.5, size * 0.43))
    background = draw_background(size, camera, portrait, rng, own=person is not None)
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
        {"subject": f"s{number:02d}", "clip": "video", "onset": shown.onset, "apex": shown.apex,
         "offset": shown.offset, "kind": shown.kind, "label": shown.emotion, "aus": "+".join(shown.units),
         "fps": clip.fps}
        for shown in clip.expressions
    ]  # fmt: skip
