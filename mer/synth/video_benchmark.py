"""A synthetic micro-expression benchmark: videos of people with labels, in the layout that `mer extract-flow` reads.

It compares flow methods and features where the truth is known, and says nothing about accuracy on people.
"""

import csv
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mer.datasets.video import write_video
from mer.synth.animation import Clip, micro_clip, peak_motion
from mer.synth.background import draw_background
from mer.synth.blendshapes import has_sides
from mer.synth.camera import draw_image_quality, frame_camera, take_picture
from mer.synth.expressions import CLASS_EMOTIONS, MICRO_EXPRESSIONS, draw_units
from mer.synth.face_model_registry import cached_face_model
from mer.synth.head import Head, make_head
from mer.synth.people import Person, draw_portrait, find_people
from mer.synth.render_run import NOTE, render_all, resumable_run
from mer.synth.scene import Scene, render
from mer.utils.atomic_files import write_whole
from mer.utils.progress import Track, untracked

FPS = 60
LEAD = 5  # frames before the onset


@dataclass(frozen=True)
class BenchmarkSettings:
    """Settings of the benchmark, stored in `run.json`; a run resumes only with the same settings.

    Attributes
    ----------
    people : int
    clips : int
        Per person and class.
    head_motion : float
        0 keeps the head still, 1 is a seated person who tries to, 2 is twice as much.
    face_model, face_model_path, faces, seed, size
        As in :class:`mer.synth.Settings`.
    whole : bool
        If false, only the onset and the apex of each clip are rendered, in a fifteenth of the time.
    """

    preset: str = "benchmark"
    people: int = 24
    clips: int = 6
    head_motion: float = 1.0
    face_model: str = "makehuman"
    face_model_path: str | None = None
    faces: str | None = None
    seed: int = 0
    size: int = 256
    whole: bool = True


@dataclass(frozen=True)
class _Style:
    """How a person shows a class."""

    expressions: list[tuple[str, list[str]]]  # three emotions with their units, the most frequent first
    amount: float  # usual peak motion, pixels of a 224 px face crop
    asymmetry: float  # left minus right, as a share of the intensity


def make_benchmark(
    out: str | Path,
    settings: BenchmarkSettings | None = None,
    workers: int = 1,
    track: Track | None = None,
    cluster: str | None = None,
) -> Path:
    """Write `out/<subject>/<clip>.mp4` and `labels.csv`.

    The columns of the table are `subject, clip, label, onset, apex, offset, fps, aus, dataset`; the classes are
    negative, positive and surprise. People differ in units, strength, asymmetry and speed of their expressions. Run
    again with the same settings, it resumes.

    Parameters
    ----------
    out : str or Path
    settings : BenchmarkSettings
    workers : int
        Number of processes. It does not affect the bytes.
    track : function, optional
        Wraps the iterator over people, to show progress.
    cluster : str, optional
        Address of a Dask scheduler whose workers render; they need access to `out` (:mod:`mer.utils.dask_cluster`).
    """
    out, settings = Path(out), settings or BenchmarkSettings()
    if settings.people < 1 or settings.clips < 1:
        raise ValueError(f"{settings.people} people with {settings.clips} clips per class; expected at least 1 of each")
    cached_face_model(settings.face_model, settings.face_model_path)  # a damaged file fails before any work starts
    with resumable_run(out, settings):
        people = _choose_people(out, settings) if settings.faces else [None] * settings.people
        jobs = [(str(out), settings, k, person) for k, person in enumerate(people)]
        rendered = render_all(_render_person, jobs, out, settings, workers, cluster)
        rows = [row for part in (track or untracked)(rendered, len(jobs), "people") for row in part]
        with write_whole(out / "labels.csv") as file:
            table = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            table.writeheader()
            table.writerows(rows)
        with write_whole(out / "NOTE.txt") as file:
            file.write(NOTE + "\n")
    return out


def _choose_people(out: Path, settings: BenchmarkSettings) -> list[Person | None]:
    """One photograph each of randomly chosen people."""
    by_name = {person.name: person for person in reversed(find_people(str(settings.faces), out / "faces.json"))}
    if len(by_name) < settings.people:
        raise ValueError(f"{settings.faces}: {len(by_name)} usable people, but {settings.people} are requested")
    order = np.random.default_rng([settings.seed, 1]).permutation(sorted(by_name))
    return [by_name[str(name)] for name in order[: settings.people]]


def _render_person(job: tuple[str, BenchmarkSettings, int, Person | None]) -> list[dict[str, Any]]:
    """Render the clips of one person that are still missing; return the person's rows of `labels.csv`."""
    out, settings, number, person = Path(job[0]), *job[1:]
    rng = np.random.default_rng([settings.seed, 5, number])
    subject, size = f"s{number + 1:02d}", settings.size
    portrait = draw_portrait(person, 0, rng)
    head = make_head(portrait, cached_face_model(settings.face_model, settings.face_model_path))
    camera = frame_camera(size * rng.uniform(0.32, 0.38), (size * 0.5, size * 0.43))
    background = draw_background(size, camera, portrait, rng, from_portrait=person is not None)
    scene, quality = Scene(head, settings.face_model, background, camera, size), draw_image_quality(rng, 0.6)
    styles = {label: _draw_style(label, rng) for label in CLASS_EMOTIONS}
    rows = []
    for class_number, (label, style) in enumerate(styles.items()):
        for k in range(settings.clips):
            stream = np.random.default_rng([settings.seed, 6, number, class_number, k])
            clip = _draw_clip(head, settings, style, stream)
            if not settings.whole:
                onset_apex = [clip.states[clip.onset], clip.states[clip.apex]]
                clip = replace(clip, states=onset_apex, onset=0, apex=1, offset=1)
            name = f"{label[:3]}_{k + 1:02d}"
            path = out / subject / f"{name}.mp4"
            if not path.exists():
                frames = (take_picture(render(scene, state), quality, stream) for state in clip.states)
                write_video(path, frames, size, FPS)
            rows.append(
                {"subject": subject, "clip": name, "label": label, "onset": clip.onset, "apex": clip.apex,
                 "offset": clip.offset, "fps": FPS, "aus": "+".join(clip.units), "dataset": "synthetic"}
            )  # fmt: skip
    return rows


def _draw_style(label: str, rng: np.random.Generator) -> _Style:
    emotions = [CLASS_EMOTIONS[label][i] for i in rng.permutation(len(CLASS_EMOTIONS[label]))[:3]]
    return _Style(
        expressions=[(emotion, draw_units(MICRO_EXPRESSIONS[emotion], rng)) for emotion in (emotions * 3)[:3]],
        amount=float(np.exp(rng.normal(np.log(1.4), 0.45))),
        asymmetry=float(np.clip(rng.normal(0, 0.35), -0.8, 0.8)),
    )


def _draw_clip(head: Head, settings: BenchmarkSettings, style: _Style, rng: np.random.Generator) -> Clip:
    emotion, drawn = style.expressions[int(rng.choice(3, p=[0.5, 0.3, 0.2]))]
    units: dict[str, float] = {}
    for unit in drawn:
        strength = rng.uniform(0.6, 1.0)
        if unit.isdigit() and has_sides(unit):
            units[f"L{unit}"], units[f"R{unit}"] = strength * (1 + style.asymmetry), strength * (1 - style.asymmetry)
        else:  # one-sided already, or without sides
            units[unit] = strength
    amount = float(np.clip(style.amount * np.exp(rng.normal(0, 0.35)), 0.25, 5.0))
    factor = amount / max(peak_motion(head, settings.face_model, units), 1e-6)
    units = {unit: round(min(value * factor, 1.0), 4) for unit, value in units.items()}
    frames = LEAD + int(rng.integers(16, 30)) + 4
    return micro_clip(
        head, settings.face_model, rng, frames, emotion=emotion, units=units, head_motion=settings.head_motion,
        lead=LEAD, fps=FPS,
    )  # fmt: skip
