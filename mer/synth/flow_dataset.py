"""Render a FacialFlowNet folder: who is in it, in which split, and the work, which can be killed and goes on.

Everything about an identity follows from the seed and its number, so the bytes do not depend on the number of workers
or on where a run was interrupted.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mer._version import __version__
from mer.datasets.person_split import SPLITS, split_of
from mer.flow import facialflownet
from mer.synth.animation import LENGTHS, Clip, ffn_clip, micro_clip
from mer.synth.camera import draw_background, draw_lens, take
from mer.synth.face_model import FaceModel
from mer.synth.face_model_registry import load_face_model
from mer.synth.head import Head, make_head
from mer.synth.people import Person, draw_portrait, find_people
from mer.synth.scene import Scene, frame_camera, label_pair, landmarks_at, render
from mer.utils.atomic_files import write_whole
from mer.utils.folder_lock import is_empty, lock_folder
from mer.utils.processes import in_order, run_jobs
from mer.utils.progress import Track

NOTE = "Synthetic: rendered faces with exact labels. Results on it say nothing about accuracy on people."
PRESETS = ("ffn", "micro")
CLIPS_OF_IDENTITY = 12  # of the preset micro, two frames each; with longer sequences, one


@dataclass(frozen=True)
class Settings:
    """What a run depends on; kept in `run.json`, and a run goes on only with the same."""

    preset: str = "ffn"
    pairs: int = 1000
    face_model: str = "makehuman"
    face_model_path: str | None = None
    faces: str | None = None
    seed: int = 0
    size: int = 256
    frames: int | None = None
    head_motion: float = 1.0
    head_images: bool = False
    split: str = "all"  # or one of SPLITS: its people alone


@dataclass(frozen=True)
class Job:
    """An identity, its split, and the number of frames of each of its clips."""

    identity: int
    split: str
    person: Person | None
    use: int
    frames: tuple[int, ...]


def make_dataset(
    out: str | Path,
    settings: Settings,
    workers: int = 1,
    track: Track | None = None,
    cluster: str | None = None,
) -> Path:
    """Render a dataset into `out` in FacialFlowNet's layout (see :mod:`mer.flow.facialflownet`).

    Run again with the same settings, it goes on where it stopped. `ValueError` for settings that cannot be, or a folder
    that holds a run with other settings; `OSError` where the disk is full, with what is written left whole.

    Parameters
    ----------
    out : str or Path
    settings : Settings
    workers : int
        Processes. The bytes written do not depend on it.
    track : function, optional
        Wraps the iterator over sequences' pairs, to show progress.
    cluster : str, optional
        Address of a Dask scheduler, whose workers render; they have to see `out` (:mod:`mer.utils.dask_cluster`).
    """
    out = Path(out)
    check_settings(settings)
    load_face_model(settings.face_model, settings.face_model_path)  # fails here rather than in every process
    with the_run(out, settings):
        people = find_people(settings.faces, out / "faces.json") if settings.faces else []
        jobs = list(plan(settings, people))
        _check_space(out, settings, jobs)
        total = len(jobs)
        done = render_all(_render_job, [(str(out), settings, job) for job in jobs], out, settings, workers, cluster)
        for _ in track(done, total, "identities") if track else done:
            pass
        write_table(out)
    return out


def check_settings(settings: Settings) -> None:
    """`ValueError` for settings that cannot be."""
    if settings.preset not in PRESETS:
        raise ValueError(f"no preset {settings.preset!r} for pairs; there are {', '.join(PRESETS)}")
    if settings.pairs < 1:
        raise ValueError(f"{settings.pairs} pairs; expected at least 1")
    if settings.size < 64 or settings.size > 1024:
        raise ValueError(f"pictures of {settings.size} px; expected 64 to 1024")
    if settings.split not in ("all", *SPLITS):
        raise ValueError(f"no split {settings.split!r}; there are all, {', '.join(SPLITS)}")
    if settings.frames is not None and settings.frames not in (2, *LENGTHS):
        raise ValueError(f"sequences of {settings.frames} frames; expected 2, 5, 10, 15 or 20")


@contextmanager
def the_run(out: Path, settings: Any) -> Iterator[None]:
    """Hold the folder; write its `run.json`, or check that the one there is of the same run.

    `ValueError` for a folder that holds another run or something else.
    """
    run = json.loads(json.dumps({"made_by": f"mer {__version__}", "note": NOTE, "settings": asdict(settings)}))
    path = out / "run.json"
    if not path.exists() and not is_empty(out):
        raise ValueError(f"{out} is not empty and holds no run of mer synth; choose another folder")
    with lock_folder(out):
        if path.exists():
            _refuse_other(path, run["settings"])
        else:
            with write_whole(path) as file:
                json.dump(run, file, indent=1, sort_keys=True)
                file.write("\n")
        yield


def _refuse_other(path: Path, settings: dict[str, Any]) -> None:
    try:
        before = json.loads(path.read_text(encoding="utf-8"))["settings"]
        differ = sorted(key for key in {*before, *settings} if before.get(key) != settings.get(key))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path}: not written by mer synth ({error}); choose another folder") from error
    if differ:
        was = ", ".join(f"{key}={before.get(key)}" for key in differ)
        raise ValueError(
            f"{path.parent} holds a run with other settings ({was}); repeat it with those, or choose another folder"
        )


def plan(settings: Settings, people: list[Person]) -> Iterator[Job]:
    """The identities of a run until it has its pairs, each in one split alone."""
    if people and settings.split != "all" and not any(split_of(person.name) == settings.split for person in people):
        raise ValueError(f"{settings.faces}: none of the {len(people)} usable pictures is of {settings.split}'s people")
    order = np.random.default_rng([settings.seed, 1]).permutation(len(people)) if people else np.zeros(0, int)
    left, identity = settings.pairs, 0
    while left > 0:
        rng = np.random.default_rng([settings.seed, 2, identity])
        if settings.preset == "micro" and settings.frames in (None, 2):
            frames = [2] * min(CLIPS_OF_IDENTITY, left)
        else:
            wanted = settings.frames or int(rng.choice(LENGTHS))
            frames = [min(wanted, left + 1)]
        person = people[order[identity % len(people)]] if people else None
        # By person, however many identities a picture serves; a generated face is a person of its own.
        split = split_of(person.name if person else f"{settings.seed}/{identity}")
        if settings.split in ("all", split):
            yield Job(identity, split, person, identity // len(people) if people else 0, tuple(frames))
            left -= sum(n - 1 for n in frames)
        identity += 1


def render_all(
    function: Callable, jobs: list, out: Path, settings: Any, workers: int, cluster: str | None
) -> Iterator[Any]:
    """Call `function` on each job, in this process or in others, and yield results in order."""
    shared = [path for path in (out / "run.json", settings.faces, settings.face_model_path) if path]
    return in_order(run_jobs(partial(_on_one_thread, function), jobs, workers, cluster=cluster, shared=shared))


def _on_one_thread(function: Callable, job: Any) -> Any:
    """How the sums of linear algebra are split over threads shows in the last bit."""
    import cv2
    from threadpoolctl import threadpool_limits

    cv2.setNumThreads(1)
    with threadpool_limits(1):
        return function(job)


_models: dict[tuple[str, str | None], FaceModel] = {}


def cached_model(name: str, path: str | None) -> FaceModel:
    """The face model, loaded once in each process."""
    if (name, path) not in _models:
        _models[name, path] = load_face_model(name, path)
    return _models[name, path]


def _render_job(task: tuple[str, Settings, Job]) -> int:
    """Render what is still missing of an identity's clips; returns its number of pairs."""
    out, settings, job = Path(task[0]), task[1], task[2]
    rng = np.random.default_rng([settings.seed, 4, job.identity])
    streams = rng.spawn(len(job.frames))
    names = [f"{job.identity:06d}_{k:02d}" for k in range(len(job.frames))]
    present = {path.stem for path in (out / "label" / job.split).glob(f"*/{job.identity:06d}_*.json")}
    if present >= set(names):
        return sum(n - 1 for n in job.frames)
    model = cached_model(settings.face_model, settings.face_model_path)
    portrait = draw_portrait(job.person, job.use, rng)
    head = make_head(portrait, model)
    for k, stream in enumerate(streams):
        if names[k] not in present:
            _render_clip(out, settings, job, names[k], head, portrait, stream, job.frames[k])
    return sum(n - 1 for n in job.frames)


def _render_clip(
    out: Path, settings: Settings, job: Job, name: str, head: Head, portrait: Any, rng: np.random.Generator, frames: int
) -> None:
    size = settings.size
    if settings.preset == "ffn":
        clip = ffn_clip(head, settings.face_model, rng, frames)
    else:
        clip = micro_clip(head, settings.face_model, rng, frames, head_motion=settings.head_motion)
    zoom = rng.uniform(0.26, 0.40) if settings.preset == "ffn" else rng.uniform(0.30, 0.42)
    middle = (size * (0.5 + rng.normal(0, 0.02)), size * (0.43 + rng.normal(0, 0.015)))
    camera = frame_camera(size, zoom * size, middle)
    background = draw_background(size, camera, portrait, rng, own=job.person is not None and rng.random() < 0.5)
    scene = Scene(head, settings.face_model, background, camera, size)
    lens = draw_lens(rng)
    pictures = [take(render(scene, state), lens, rng) for state in clip.states]
    labels = [label_pair(scene, a, b) for a, b in zip(clip.states, clip.states[1:])]
    heads = []
    if settings.head_images:
        for a, b in zip(clip.states, clip.states[1:]):
            heads.append(take(render(scene, replace(b, units=a.units, gaze=a.gaze)), lens, rng))
    facialflownet.write_sequence(
        out, job.split, clip.emotion, name, pictures, [la.flow for la in labels],
        occlusions=[la.occlusion for la in labels], landmarks=np.stack([landmarks_at(scene, s) for s in clip.states]),
        record=record_of(clip, settings, job, name, portrait.name), heads=heads, quality=lens.quality,
    )  # fmt: skip


def record_of(clip: Clip, settings: Settings, job: Job, name: str, portrait: str) -> dict[str, Any]:
    """What a label file says of a sequence."""
    return {
        "sequence": name, "split": job.split, "emotion": clip.emotion, "identity": job.identity, "portrait": portrait,
        "seed": settings.seed, "face_model": settings.face_model, "preset": settings.preset, "size": settings.size,
        "units": _rounded(clip.units), "onset": clip.onset, "apex": clip.apex, "offset": clip.offset, "fps": clip.fps,
        "distractors": clip.distractors, "synthetic": True,
        "frames": [
            {"units": _rounded(s.units), "gaze": s.gaze, "rotation": s.rotation, "translation": s.translation,
             "light": s.light, "exposure": s.exposure}
            for s in clip.states
        ],
    }  # fmt: skip


def _rounded(units: dict[str, float]) -> dict[str, float]:
    return {unit: round(value, 5) for unit, value in units.items()}


def write_table(out: Path) -> None:
    """Write `sequences.csv`: one row per sequence."""
    import csv

    columns = ("split", "emotion", "sequence", "identity", "portrait", "frames", "units", "distractors", "fps")
    with write_whole(out / "sequences.csv") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(columns)
        for r in facialflownet.read_records(out):
            units = "+".join(r["units"])
            table.writerow(
                [*(r[c] for c in columns[:5]), len(r["frames"]), units, " ".join(r["distractors"]), r["fps"]]
            )


def _check_space(out: Path, settings: Settings, jobs: list[Job]) -> None:
    """`OSError` before anything is rendered, if the disk cannot hold it."""
    pairs = sum(n - 1 for job in jobs for n in job.frames)
    held = sum(1 for _ in (out / "flow" / "facial").glob("*/*/*/*.flo")) if (out / "flow").exists() else 0
    needed = (pairs - held) * settings.size**2 * 17.6  # two flows of 8 bytes a pixel, a mask of 1, pictures
    free = shutil.disk_usage(out).free
    if needed > free:
        raise OSError(
            f"{out}: {pairs - held} pairs need about {needed / 1e9:.1f} GB, the disk has {free / 1e9:.1f} GB free"
        )
