"""Videos to a flow folder: face, alignment, onset and apex, flow, file; resumable and in parallel."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mer.apex import APEXES, find_apex
from mer.clip_files import SIDE, clip_path, kept_frames, save_clip
from mer.datasets import load_dataset
from mer.face import Face, align, check_detector, crop, detect_faces, transform
from mer.files import write_json
from mer.flow import Flow, is_flow_file, save_flow
from mer.flow_folder import earlier_run, flow_path, inside, refuse_equal_paths, refuse_foreign, run_record
from mer.folder import list_clips
from mer.lock import only_run
from mer.methods import DEFAULT_METHOD, Method, check_method, describe_method, estimate_flow
from mer.samples import conform, write_samples
from mer.video import Clip, ClipError, frame_files, open_clip
from mer.workers import DIED, run_jobs

APEX_SIZE = 128  # of the crops in which the apex is searched: a third of the time of 224, and curves alike
# Seconds between two writings of samples.csv, which is what is redone after a crash. A long table takes long to write;
# the wait grows with it, so that writing stays below a twentieth of the time.
SAVE_EVERY, SAVE_SHARE = 2.0, 0.05

# Which face of several is meant, as a sort key: the smallest wins. Boxes are x0, y0, x1, y1.
FACES: dict[str, Callable[[Face], float]] = {
    "largest": lambda face: -float((face.box[2] - face.box[0]) * (face.box[3] - face.box[1])),
    "left": lambda face: float(face.box[0] + face.box[2]),
    "right": lambda face: -float(face.box[0] + face.box[2]),
}
# What one clip's extraction fills in.
RESULT = ("onset", "apex", "offset", "apex_source", "fps", "status", "message", "scale")
Track = Callable[[Iterable, int, str], Iterable]  # (items, how many, what they are) -> the same items, shown as they go


@dataclass(frozen=True)
class Settings:
    """What decides the content of a flow folder, and the device, which does not."""

    method: Method
    align: str = "mediapipe"
    size: int = 224
    stabilize: bool = False
    face: str = "largest"
    device: str = "auto"
    clips: bool = False
    apex: str = "flow"

    def record(self) -> dict[str, Any]:
        """The settings as they stand in `run.json`."""
        plain = {"align": self.align, "size": self.size, "stabilize": self.stabilize, "face": self.face,
                 "clips": self.clips, "apex": self.apex}  # fmt: skip
        return {**describe_method(self.method), **plain}


class ClipFault(Exception):
    """One clip can't be used: its status and a message for the table."""

    def __init__(self, status: str, message: str) -> None:
        super().__init__(message)
        self.status = status


def extract_flow(
    videos: str | Path,
    out: str | Path = "flows",
    *,
    method: Method = DEFAULT_METHOD,
    align: str = "mediapipe",
    size: int = 224,
    dataset: str | None = None,
    annotations: str | Path | None = None,
    labels: str = "emotion",
    stabilize: bool = False,
    face: str = "largest",
    workers: int = 1,
    device: str = "auto",
    overwrite: bool = False,
    track: Track | None = None,
    cluster: str | None = None,
    clips: bool = False,
    apex: str = "flow",
) -> pd.DataFrame:
    """Estimate the flow from onset to apex for each clip of a folder, and write a flow folder.

    Run again with the same settings, it goes on where it stopped: clips whose flow is there are left alone, those
    that failed are tried again.

    Parameters
    ----------
    videos : str or Path
        See :func:`mer.folder.list_clips`; with `dataset`, the folder of that database.
    out : str or Path
        The flow folder.
    method : str or function
        A name in :data:`mer.METHODS`, or a function `(onset, apex) -> (H, W, 2) or Flow`.
    align : {"mediapipe", "mtcnn"}
        Face detector.
    size : int
        Side of the aligned crop, pixels.
    dataset : str, optional
        A name in :data:`mer.datasets.DATASETS`: `videos` is that database as its owners distribute it.
    annotations : str or Path, optional
        Label file in the place of `videos/labels.csv`, or the sheet of the database.
    labels : {"emotion", "objective"}
        Which labels of the database; see :func:`mer.datasets.load_dataset`.
    stabilize : bool
        Align the apex by its own landmarks, not by the onset's. Takes off the head's motion in the plane before the
        flow is estimated, and puts the landmarks' jitter in its place.
    face : {"largest", "left", "right"}
        Which face, where there are several; left and right are the image's.
    workers : int
        Processes. The result doesn't depend on it.
    device : str
        `auto`, `cpu` or `cuda`, for methods that are networks.
    overwrite : bool
        Discard what is in `out` where it was made with other settings, or from other annotations.
    track : function, optional
        Wraps the iterator over clips, to show progress.
    cluster : str, optional
        Address of a Dask scheduler, whose workers extract; they have to see the videos and `out` at the same paths
        (:mod:`mer.cluster`).
    clips : bool
        Also keep the aligned gray frames of each clip beside its flow (:mod:`mer.clip_files`), for `svm-lbptop`,
        `svm-3dhog` and `r3d`. They show faces; they are as private as the videos.
    apex : {"flow", "strain", "midpoint"}
        Where a clip has no apex labeled: the frame whose flow is largest, whose strain is, by divide and conquer over
        brows, eyes, nose and mouth (:mod:`mer.apex`), or the one in the middle between onset and offset.

    Returns
    -------
    DataFrame
        The samples table, as in `out/samples.csv`.

    Raises
    ------
    ValueError
        For settings that can't be, and for an `out` that holds flows made with other settings or from other videos.
    OSError
        Where `out` cannot be written, as on a full disk, or another run is writing into it. What was done is kept.
    """
    settings = Settings(method, align, size, stabilize, face, device, clips, apex)
    _check(settings)
    if dataset is None and labels != "emotion":
        raise ValueError(f"labels {labels!r} are those of a database; name it with --dataset")
    out = Path(out)
    table = load_dataset(dataset, videos, annotations, labels) if dataset else list_clips(videos, annotations)
    table["onset"] = [_onset(row) for row in table.to_dict("records")]
    table["path"] = [flow_path(row) for row in table.to_dict("records")]
    refuse_equal_paths(table)
    refuse_foreign(out, overwrite)
    record = run_record(settings.record(), videos, table)
    with only_run(out):
        return _extract_all(table, out, settings, record, workers, overwrite, track, cluster)


def _extract_all(
    table: pd.DataFrame,
    out: Path,
    settings: Settings,
    record: dict[str, Any],
    workers: int,
    overwrite: bool,
    track: Track | None,
    cluster: str | None,
) -> pd.DataFrame:
    """Extract what is not there yet; returns the samples table."""
    earlier = earlier_run(out, record, overwrite)
    others = earlier[~earlier["dataset"].isin(table["dataset"])]
    write_json(out / "run.json", record)

    done = {row["path"]: row for row in earlier.to_dict("records") if row["status"] == "ok"}
    for i, row in enumerate(table.to_dict("records")):
        if row["status"] == "" and _still_good(row, done.get(row["path"]), out, settings):
            for column in RESULT:
                table.loc[i, column] = done[row["path"]][column]

    def save() -> float:
        """Write the table; the time at which it is due again."""
        began = time.monotonic()
        write_samples(pd.concat([others, table]), out / "samples.csv")
        ended = time.monotonic()
        return ended + max(SAVE_EVERY, (ended - began) / SAVE_SHARE)

    jobs = [(i, row) for i, row in enumerate(table.to_dict("records")) if row["status"] == ""]
    shared = [out / "run.json", *(row["source"] for _, row in jobs[:1])]
    results = run_jobs(lambda job: extract_clip(job[1], out, settings), jobs, workers, _died, cluster, shared)
    due = time.monotonic() + SAVE_EVERY
    try:
        for number, fields in track(results, len(jobs), "clips") if track else results:
            for column, value in fields.items():
                table.loc[jobs[number][0], column] = value
            if time.monotonic() > due:
                due = save()
    finally:  # also when interrupted: what was done is kept
        save()
    return conform(table)


# --- one clip ---


def extract_clip(row: dict[str, Any], out: Path, settings: Settings) -> dict[str, Any]:
    """Extract one clip's flow and write it; the columns to fill in.

    A fault of the clip becomes a status, never an exception. That the flow cannot be written, as on a full disk, is no
    fault of the clip: it would befall all others too, and raises `OSError`.
    """
    try:
        flow, crops, fields = _extract(row, settings)
    except ClipFault as fault:
        return {"status": fault.status, "message": str(fault)}
    except (ClipError, OSError) as error:
        return {"status": "unreadable", "message": str(error)}
    except Exception as error:  # a method, perhaps a user's own, that fails on this clip: the others go on
        return {"status": "failed", "message": f"{type(error).__name__}: {error}".splitlines()[0]}
    if crops:
        save_clip(out / row["path"], crops)
    save_flow(out / row["path"], flow)
    return {**fields, "status": "ok"}


def _died(job: tuple[int, dict[str, Any]]) -> dict[str, Any]:
    return {"status": "failed", "message": DIED}


def _extract(row: dict[str, Any], settings: Settings) -> tuple[Flow, list[np.ndarray], dict[str, Any]]:
    """Flow, the frames of the clip where they are wanted, and the columns to fill in."""
    clip = open_clip(row["source"])
    onset, offset = _interval(clip, row)
    notes = [row["message"]] if row["message"] else []

    image = clip.frame(onset)
    faces = detect_faces(image, settings.align)
    if not faces:
        raise ClipFault("no_face", f"no face in frame {onset}")
    if len(faces) > 1:
        notes.append(f"{len(faces)} faces; took the {settings.face}")
    face = min(faces, key=FACES[settings.face])
    alignment = align(face.landmarks, settings.size)
    onset_crop = crop(image, alignment)
    landmarks = transform(face.landmarks, alignment.matrix)

    apex, apex_source, note = _apex(clip, row, onset, offset, image, face, settings.apex)
    notes += note
    before, image = image.shape, clip.frame(apex)
    if image.shape != before:
        sizes = " and ".join(f"{width} x {height}" for height, width, _ in (before, image.shape))
        raise ClipFault("unreadable", f"frames {onset} and {apex} differ in size: {sizes}")
    faces = detect_faces(image, settings.align)
    if not faces:
        raise ClipFault("face_lost", f"a face in frame {onset}, none in frame {apex}")
    if settings.stabilize:
        face = min(faces, key=lambda other: float(np.abs(other.box - face.box).sum()))
        apex_crop = crop(image, align(face.landmarks, settings.size))
    else:
        apex_crop = crop(image, alignment)

    flow = estimate_flow(onset_crop, apex_crop, method=settings.method, landmarks=landmarks, device=settings.device)
    crops = _aligned_frames(clip, onset, offset, face) if settings.clips else []
    fps = clip.fps if pd.isna(row["fps"]) else row["fps"]
    return flow, crops, {
        "onset": onset, "apex": apex, "offset": offset, "apex_source": apex_source, "fps": fps,
        "scale": round(alignment.scale, 4), "message": "; ".join(notes),
    }  # fmt: skip


def _aligned_frames(clip: Clip, onset: int, offset: int, face: Face) -> list[np.ndarray]:
    """Crops `(64, 64, 3)` of the frames from onset to offset, all placed by the onset's landmarks."""
    numbers = kept_frames(clip.numbers[(clip.numbers >= onset) & (clip.numbers <= offset)])
    small = align(face.landmarks, SIDE)
    return [crop(image, small) for _, image in clip.frames(numbers)]


def _interval(clip: Clip, row: dict[str, Any]) -> tuple[int, int]:
    first, last = int(clip.numbers[0]), int(clip.numbers[-1])
    onset = first if pd.isna(row["onset"]) else int(row["onset"])
    offset = last if pd.isna(row["offset"]) else min(int(row["offset"]), last)
    if onset not in clip.numbers:
        raise ClipFault("missing_frames", f"the onset, frame {onset}, is not there; frames are {first} to {last}")
    if len(clip) < 2 or onset == last:
        raise ClipFault("too_short", f"no frame after the onset, frame {onset}")
    if offset <= onset:
        raise ClipFault("bad_annotation", f"the offset, frame {offset}, is not after the onset, frame {onset}")
    return onset, offset


def _apex(
    clip: Clip, row: dict[str, Any], onset: int, offset: int, image: np.ndarray, face: Face, by: str
) -> tuple[int, str, list[str]]:
    """The apex, its source and notes: the label if it can be right, else the peak, else the midpoint."""
    notes: list[str] = []
    if not pd.isna(row["apex"]):
        labeled = int(row["apex"])
        if labeled > clip.numbers[-1] or (onset < labeled <= offset and labeled not in clip.numbers):
            last = f"frames are {clip.numbers[0]} to {clip.numbers[-1]}"
            raise ClipFault("missing_frames", f"the apex, frame {labeled}, is not there; {last}")
        if onset < labeled <= offset:
            return labeled, "label", notes
        notes.append(f"labeled apex {labeled} is not between onset {onset} and offset {offset}")
    numbers = clip.numbers[(clip.numbers > onset) & (clip.numbers <= offset)]
    middle = int(numbers[(len(numbers) - 1) // 2])
    if by == "midpoint":
        return middle, "midpoint", notes
    small = align(face.landmarks, APEX_SIZE)
    frames = (crop(image, small) for _, image in clip.frames(numbers))
    position = find_apex(crop(image, small), frames, transform(face.landmarks, small.matrix), by)
    if position is None:
        return middle, "midpoint", [*notes, "nothing moves"]
    return int(numbers[position]), "spotted", notes


# --- what to do ---


def _check(settings: Settings) -> None:
    check_detector(settings.align)
    if settings.face not in FACES:
        raise ValueError(f"no choice of face {settings.face!r}; there are {', '.join(FACES)}")
    if settings.apex not in APEXES:
        raise ValueError(f"no way to find an apex {settings.apex!r}; there are {', '.join(APEXES)}")
    if not 32 <= settings.size <= 2048:
        raise ValueError(f"size is {settings.size}; expected 32 to 2048 pixels")
    check_method(settings.method)


def _onset(row: dict[str, Any]) -> int | None:
    """The onset, which names the flow file: as labeled, or the number of the first frame."""
    if not pd.isna(row["onset"]):
        return int(row["onset"])
    source = Path(row["source"])
    try:
        return next(iter(frame_files(source)), 0) if not row["status"] and source.is_dir() else 0
    except (ClipError, OSError):  # it is told when the clip is opened
        return 0


def _still_good(row: dict[str, Any], done: dict[str, Any] | None, out: Path, settings: Settings) -> bool:
    """Whether an earlier run's flow is there, undamaged, and was made from the same frames as this row asks for."""
    if done is None or not inside(out, done["path"]) or not is_flow_file(out / done["path"], settings.size):
        return False
    if settings.clips and not clip_path(out / done["path"]).is_file():
        return False
    if pd.isna(row["apex"]):
        return done["apex_source"] != "label" and (pd.isna(row["offset"]) or done["offset"] == row["offset"])
    return bool(done["apex"] == row["apex"])
