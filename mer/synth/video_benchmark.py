"""A synthetic micro-expression benchmark: people, clips, labels, in the layout that `mer extract-flow` reads.

It is synthetic. It tells flow methods and features apart where the truth is known, and says nothing about accuracy on
people.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mer.datasets.video import write_video
from mer.synth.animation import COMPOSITE, MICRO, Clip, draw_units, micro_clip, peak_motion
from mer.synth.camera import draw_background, draw_lens, take
from mer.synth.face_model_registry import load_face_model
from mer.synth.flow_dataset import NOTE, cached_model, render_all, the_run
from mer.synth.head import make_head
from mer.synth.people import Person, draw_portrait, find_people
from mer.synth.scene import Scene, frame_camera, render
from mer.utils.atomic_files import write_whole
from mer.utils.progress import Track

FPS = 60
LEAD = 5  # frames before the onset


@dataclass(frozen=True)
class BenchmarkSettings:
    """What the benchmark depends on; kept in `run.json`."""

    preset: str = "benchmark"
    people: int = 24
    clips: int = 6  # per person and class
    head_motion: float = 1.0
    face_model: str = "makehuman"
    face_model_path: str | None = None
    faces: str | None = None
    seed: int = 0
    size: int = 256
    whole: bool = True


def make_benchmark(
    out: str | Path,
    settings: BenchmarkSettings | None = None,
    workers: int = 1,
    track: Track | None = None,
    cluster: str | None = None,
) -> Path:
    """Write `out/<subject>/<clip>.mp4` and `labels.csv` (`subject, clip, label, onset, apex, offset, fps, aus,
    dataset`).

    Each person shows an emotion in ways of their own: which units, how strong, how one-sided, how fast. The classes are
    negative, positive and surprise. Run again with the same settings, it goes on where it stopped.

    Parameters
    ----------
    out : str or Path
    settings : BenchmarkSettings
        `head_motion` 0 keeps the head still, 1 is a seated person who tries to, 2 twice that. Where `whole` is off, the
        onset and the apex of each clip are rendered and nothing else: a fifteenth of the time.
    workers : int
        Processes; the bytes do not depend on it.
    track : function, optional
        Wraps the iterator over people, to show progress.
    cluster : str, optional
        Address of a Dask scheduler, whose workers render; they have to see `out` (:mod:`mer.utils.dask_cluster`).
    """
    out, settings = Path(out), settings or BenchmarkSettings()
    if settings.people < 1 or settings.clips < 1:
        raise ValueError(f"{settings.people} people with {settings.clips} clips for each class; expected at least 1")
    load_face_model(settings.face_model, settings.face_model_path)
    with the_run(out, settings):
        people: list[Person | None] = [None] * settings.people
        if settings.faces:
            found = {p.name: p for p in reversed(find_people(settings.faces, out / "faces.json"))}
            if len(found) < settings.people:
                raise ValueError(f"{settings.faces}: {len(found)} usable people, {settings.people} are asked for")
            order = np.random.default_rng([settings.seed, 1]).permutation(sorted(found))
            people = [found[str(n)] for n in order[: settings.people]]
        jobs = [(str(out), settings, k, person) for k, person in enumerate(people)]
        rows: list[dict[str, Any]] = []
        done = render_all(_render_person, jobs, out, settings, workers, cluster)
        for part in track(done, len(jobs), "people") if track else done:
            rows += part
        with write_whole(out / "labels.csv") as file:
            table = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            table.writeheader()
            table.writerows(rows)
        with write_whole(out / "NOTE.txt") as file:
            file.write(NOTE + "\n")
    return out


def _render_person(job: tuple[str, BenchmarkSettings, int, Person | None]) -> list[dict[str, Any]]:
    """Render the clips of one person that are not there yet; returns the person's rows of `labels.csv`."""
    out, settings, number, person = Path(job[0]), job[1], job[2], job[3]
    rng = np.random.default_rng([settings.seed, 5, number])
    subject, model = f"s{number + 1:02d}", cached_model(settings.face_model, settings.face_model_path)
    portrait = draw_portrait(person, 0, rng)
    head = make_head(portrait, model)
    size = settings.size
    camera = frame_camera(size, size * rng.uniform(0.32, 0.38), (size * 0.5, size * 0.43))
    background = draw_background(size, camera, portrait, rng, own=person is not None)
    scene, lens = Scene(head, settings.face_model, background, camera, size), draw_lens(rng, 0.6)
    habits = {label: _habits(label, rng) for label in COMPOSITE}
    rows = []
    for label in COMPOSITE:
        for k in range(settings.clips):
            stream = np.random.default_rng([settings.seed, 6, number, list(COMPOSITE).index(label), k])
            clip = _draw_clip(head, settings, label, habits[label], stream)
            if not settings.whole:
                shown = [clip.states[clip.onset], clip.states[clip.apex]]
                clip = replace(clip, states=shown, onset=0, apex=1, offset=1)
            name = f"{label[:3]}_{k + 1:02d}"
            path = out / subject / f"{name}.mp4"
            if not path.exists():
                frames = (take(render(scene, state), lens, stream) for state in clip.states)
                write_video(path, frames, size, FPS)
            rows.append(
                {"subject": subject, "clip": name, "label": label, "onset": clip.onset, "apex": clip.apex,
                 "offset": clip.offset, "fps": FPS, "aus": "+".join(clip.units), "dataset": "synthetic"}
            )  # fmt: skip
    return rows


def _habits(label: str, rng: np.random.Generator) -> dict[str, Any]:
    """How a person shows a class: their two or three sets of units, their usual amount of motion, their
    stronger side.
    """
    emotions = [COMPOSITE[label][i] for i in rng.permutation(len(COMPOSITE[label]))[:3]]
    return {
        "sets": [(emotion, draw_units(MICRO[emotion], rng)) for emotion in (emotions * 3)[:3]],
        "amount": float(np.exp(rng.normal(np.log(1.4), 0.45))),
        "lean": float(np.clip(rng.normal(0, 0.35), -0.8, 0.8)),
    }


def _draw_clip(
    head: Any, settings: BenchmarkSettings, label: str, habits: dict[str, Any], rng: np.random.Generator
) -> Clip:
    emotion, names = habits["sets"][int(rng.choice(3, p=[0.5, 0.3, 0.2]))]
    units: dict[str, float] = {}
    for unit in names:
        strength = rng.uniform(0.6, 1.0)
        try:
            sides = {f"{side}{unit}": 1 + lean for side, lean in (("L", habits["lean"]), ("R", -habits["lean"]))}
            peak_motion(head, settings.face_model, dict.fromkeys(sides, 0.1))
        except ValueError:  # drawn for one side already, or a unit that has none
            sides = {unit: 1.0}
        units |= {name: strength * share for name, share in sides.items()}
    wanted = float(np.clip(habits["amount"] * np.exp(rng.normal(0, 0.35)), 0.25, 5.0))
    factor = wanted / max(peak_motion(head, settings.face_model, units), 1e-6)
    units = {name: round(min(value * factor, 1.0), 4) for name, value in units.items()}
    frames = LEAD + int(rng.integers(16, 30)) + 4
    return micro_clip(
        head,
        settings.face_model,
        rng,
        frames,
        emotion=emotion,
        units=units,
        head_motion=settings.head_motion,
        lead=LEAD,
        fps=FPS,
    )
