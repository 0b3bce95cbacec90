"""Render frame pairs with exact flow into a folder of FacialFlowNet's layout.

Each identity depends only on the seed and its number, so the bytes depend neither on the number of workers nor on where
a run was interrupted.
"""

import csv
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mer.datasets.person_split import SPLITS, split_of
from mer.flow import facialflownet
from mer.synth.animation import LENGTHS, Clip, ffn_clip, micro_clip
from mer.synth.background import draw_background
from mer.synth.camera import draw_image_quality, frame_camera, take_picture
from mer.synth.face_model_registry import cached_face_model
from mer.synth.head import Head, make_head
from mer.synth.people import Person, draw_portrait, find_people
from mer.synth.portrait import Portrait
from mer.synth.render_run import render_all, resumable_run
from mer.synth.scene import Scene, label_pair, landmarks_at, render
from mer.utils.atomic_files import write_whole
from mer.utils.progress import Track, untracked

PRESETS = ("ffn", "micro")
CLIPS_PER_IDENTITY = 12  # of two frames, in the preset micro; an identity with longer sequences has one


@dataclass(frozen=True)
class Settings:
    """Settings of a dataset, stored in `run.json`; a run resumes only with the same settings.

    Attributes
    ----------
    preset : {"ffn", "micro"}
        Large motion as in FacialFlowNet, or micro-expressions.
    pairs : int
        Pairs of frames.
    face_model : str
        A key of :data:`mer.synth.FACE_MODELS`.
    face_model_path : str or None
        The model's file or folder; `ict` and `flame` need it.
    faces : str or None
        Folder of photographs; None generates faces.
    seed : int
    size : int
        Side of the pictures, 64 to 1024 pixels.
    frames : int or None
        2, 5, 10, 15 or 20 frames per sequence; None is the preset's own number.
    head_motion : float
        Factor of the head's motion in the preset micro.
    head_images : bool
        Also write each second frame with only the head moved.
    split : {"all", "train", "val", "test"}
        Render only the people of this split.
    """

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
    split: str = "all"


@dataclass(frozen=True)
class Job:
    """An identity to render."""

    identity: int
    split: str  # train, val or test
    person: Person | None  # the photograph; None is a generated face
    use: int  # number of earlier identities with this photograph
    frames: tuple[int, ...]  # number of frames of each clip


def make_dataset(
    out: str | Path,
    settings: Settings,
    workers: int = 1,
    track: Track | None = None,
    cluster: str | None = None,
) -> Path:
    """Render a dataset into `out` in FacialFlowNet's layout (see :mod:`mer.flow.facialflownet`).

    Run again with the same settings, it resumes.

    Parameters
    ----------
    out : str or Path
    settings : Settings
    workers : int
        Number of processes. It does not affect the bytes.
    track : function, optional
        Wraps the iterator over identities, to show progress.
    cluster : str, optional
        Address of a Dask scheduler whose workers render; they need access to `out` (:mod:`mer.utils.dask_cluster`).

    Raises
    ------
    ValueError
        If a setting is invalid, or the folder holds a run with other settings.
    OSError
        If the disk is too small or fills up; files already written stay complete.
    """
    out = Path(out)
    check_settings(settings)
    cached_face_model(settings.face_model, settings.face_model_path)  # a damaged file fails before any work starts
    with resumable_run(out, settings):
        people = find_people(settings.faces, out / "faces.json") if settings.faces else []
        jobs = [(str(out), settings, job) for job in plan(settings, people)]
        _check_disk_space(out, settings, sum(n - 1 for _, _, job in jobs for n in job.frames))
        rendered = render_all(_render_job, jobs, out, settings, workers, cluster)
        for _ in (track or untracked)(rendered, len(jobs), "identities"):
            pass
        write_table(out)
    return out


def check_settings(settings: Settings) -> None:
    """Raise `ValueError` if a setting is invalid."""
    if settings.preset not in PRESETS:
        raise ValueError(f"unknown preset {settings.preset!r} for pairs; choose from {', '.join(PRESETS)}")
    if settings.pairs < 1:
        raise ValueError(f"{settings.pairs} pairs; expected at least 1")
    if settings.size < 64 or settings.size > 1024:
        raise ValueError(f"pictures of {settings.size} px; expected 64 to 1024")
    if settings.split not in ("all", *SPLITS):
        raise ValueError(f"unknown split {settings.split!r}; choose from all, {', '.join(SPLITS)}")
    if settings.frames is not None and settings.frames not in (2, *LENGTHS):
        raise ValueError(f"sequences of {settings.frames} frames; expected 2, 5, 10, 15 or 20")


def plan(settings: Settings, people: list[Person]) -> Iterator[Job]:
    """The identities that add up to the number of pairs; each person is in one split only."""
    if people and settings.split != "all" and not any(split_of(person.name) == settings.split for person in people):
        raise ValueError(
            f"{settings.faces}: none of the {len(people)} usable pictures shows people of {settings.split!r}"
        )
    order = np.random.default_rng([settings.seed, 1]).permutation(len(people)) if people else np.zeros(0, int)
    missing, identity = settings.pairs, 0
    while missing > 0:
        rng = np.random.default_rng([settings.seed, 2, identity])
        if settings.preset == "micro" and settings.frames in (None, 2):
            frames = [2] * min(CLIPS_PER_IDENTITY, missing)
        else:
            length = settings.frames or int(rng.choice(LENGTHS))
            frames = [min(length, missing + 1)]
        person = people[order[identity % len(people)]] if people else None
        # All variations of a photograph share a split; each generated face is a person.
        split = split_of(person.name if person else f"{settings.seed}/{identity}")
        if settings.split in ("all", split):
            yield Job(identity, split, person, identity // len(people) if people else 0, tuple(frames))
            missing -= sum(n - 1 for n in frames)
        identity += 1


def _render_job(task: tuple[str, Settings, Job]) -> None:
    """Render the clips of an identity that are still missing."""
    out, settings, job = Path(task[0]), *task[1:]
    rng = np.random.default_rng([settings.seed, 4, job.identity])
    streams = rng.spawn(len(job.frames))
    names = [f"{job.identity:06d}_{k:02d}" for k in range(len(job.frames))]
    complete = {path.stem for path in (out / "label" / job.split).glob(f"*/{job.identity:06d}_*.json")}
    if complete >= set(names):
        return
    portrait = draw_portrait(job.person, job.use, rng)
    head = make_head(portrait, cached_face_model(settings.face_model, settings.face_model_path))
    for name, stream, frames in zip(names, streams, job.frames):
        if name not in complete:
            _render_clip(out, settings, job, name, head, portrait, stream, frames)


def _render_clip(
    out: Path,
    settings: Settings,
    job: Job,
    name: str,
    head: Head,
    portrait: Portrait,
    rng: np.random.Generator,
    frames: int,
) -> None:
    size, large = settings.size, settings.preset == "ffn"
    if large:
        clip = ffn_clip(head, settings.face_model, rng, frames)
    else:
        clip = micro_clip(head, settings.face_model, rng, frames, head_motion=settings.head_motion)
    interocular = size * rng.uniform(0.26, 0.40) if large else size * rng.uniform(0.30, 0.42)
    eyes = (size * (0.5 + rng.normal(0, 0.02)), size * (0.43 + rng.normal(0, 0.015)))
    camera = frame_camera(interocular, eyes)
    background = draw_background(
        size, camera, portrait, rng, from_portrait=job.person is not None and rng.random() < 0.5
    )
    scene = Scene(head, settings.face_model, background, camera, size)
    quality = draw_image_quality(rng)
    pictures = [take_picture(render(scene, state), quality, rng) for state in clip.states]
    pairs = list(zip(clip.states, clip.states[1:]))
    labels = [label_pair(scene, first, second) for first, second in pairs]
    head_pictures = []
    if settings.head_images:
        for first, second in pairs:
            head_alone = replace(second, units=first.units, gaze=first.gaze)
            head_pictures.append(take_picture(render(scene, head_alone), quality, rng))
    facialflownet.write_sequence(
        out,
        job.split,
        clip.emotion,
        name,
        pictures,
        [label.flow for label in labels],
        occlusions=[label.occlusion for label in labels],
        landmarks=np.stack([landmarks_at(scene, state) for state in clip.states]),
        record=_sequence_record(clip, settings, job, name, portrait.name),
        heads=head_pictures,
        quality=quality.jpeg,
    )


def _sequence_record(clip: Clip, settings: Settings, job: Job, name: str, portrait: str) -> dict[str, Any]:
    """The content of a sequence's label file."""
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
    """Write `sequences.csv`, one row per sequence."""
    columns = ("split", "emotion", "sequence", "identity", "portrait", "frames", "units", "distractors", "fps")
    with write_whole(out / "sequences.csv") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(columns)
        for r in facialflownet.read_records(out):
            units, distractors = "+".join(r["units"]), " ".join(r["distractors"])
            table.writerow([*(r[c] for c in columns[:5]), len(r["frames"]), units, distractors, r["fps"]])


def _check_disk_space(out: Path, settings: Settings, pairs: int) -> None:
    """Raise `OSError` before anything is rendered if the disk is too small."""
    pairs -= sum(1 for _ in (out / "flow" / "facial").glob("*/*/*/*.flo")) if (out / "flow").exists() else 0
    needed = pairs * settings.size**2 * 17.6  # bytes: two flows of 8 per pixel, a mask of 1, and pictures
    free = shutil.disk_usage(out).free
    if needed > free:
        raise OSError(f"{out}: {pairs} pairs need about {needed / 1e9:.1f} GB, the disk has {free / 1e9:.1f} GB free")
