"""A folder of videos to a flow folder, clip by clip (:mod:`mer.extraction.clip`); resumable and in parallel."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from mer.datasets import load_dataset
from mer.datasets.samples import conform, write_samples
from mer.datasets.video import ClipError, frame_files
from mer.datasets.video_folder import list_clips
from mer.extraction.apex import APEXES
from mer.extraction.clip import FACES, RESULT, Settings, extract_clip
from mer.extraction.flow_folder import earlier_run, flow_path, inside, refuse_equal_paths, refuse_foreign, run_record
from mer.extraction.frame_files import clip_path, pair_path
from mer.extraction.methods import DEFAULT_METHOD, Method, check_method
from mer.face import check_detector
from mer.flow import is_flow_file
from mer.utils.atomic_files import write_json
from mer.utils.folder_lock import lock_folder
from mer.utils.processes import DIED, run_jobs
from mer.utils.progress import Track
from mer.utils.torch_setup import find_device

# Seconds between two writings of samples.csv, which is what is redone after a crash. A long table takes long to write;
# the wait grows with it, so that writing stays below a twentieth of the time.
SAVE_EVERY, SAVE_SHARE = 2.0, 0.05


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
    pairs: bool = False,
    apex: str = "flow",
    warn: Callable[[str], None] | None = None,
) -> pd.DataFrame:
    """Estimate the flow from onset to apex for each clip of a folder, and write a flow folder.

    Run again with the same settings, it goes on where it stopped: clips whose flow is there are left alone, those
    that failed are tried again.

    Parameters
    ----------
    videos : str or Path
        See :func:`mer.datasets.video_folder.list_clips`; with `dataset`, the folder of that database.
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
        (:mod:`mer.utils.dask_cluster`).
    clips : bool
        Also keep the aligned gray frames of each clip beside its flow (:mod:`mer.extraction.frame_files`), for `svm-lbptop`,
        `svm-3dhog` and `r3d`. They show faces; they are as private as the videos.
    pairs : bool
        Also keep the aligned onset and apex in color, for `end-to-end` and `mmnet-frames`. They show faces, too.
    apex : {"flow", "strain", "midpoint"}
        Where a clip has no apex labeled: the frame whose flow is largest, whose strain is, by divide and conquer over
        brows, eyes, nose and mouth (:mod:`mer.extraction.apex`), or the one in the middle between onset and offset.
    warn : function, optional
        Gets a sentence about each choice that was made in reading a database, such as which of two sheets was taken.

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
    settings = Settings(method, align, size, stabilize, face, device, clips, pairs, apex)
    _check(settings)
    if dataset is None and labels != "emotion":
        raise ValueError(f"labels {labels!r} are those of a database; name it with --dataset")
    out = Path(out)
    if dataset:
        table = load_dataset(dataset, videos, annotations, labels, warn=warn)
    else:
        table = list_clips(videos, annotations)
    table["onset"] = [_onset(row) for row in table.to_dict("records")]
    table["path"] = [flow_path(row) for row in table.to_dict("records")]
    refuse_equal_paths(table)
    refuse_foreign(out, overwrite)
    record = run_record(settings.record(), videos, table)
    with lock_folder(out):
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
    # A run that has nothing to do leaves the word on how the flows were made as it is.
    if jobs or overwrite or not (out / "run.json").exists():
        write_json(out / "run.json", record)
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


def _died(job: tuple[int, dict[str, Any]]) -> dict[str, Any]:
    return {"status": "failed", "message": DIED}


def _check(settings: Settings) -> None:
    check_detector(settings.align)
    if settings.face not in FACES:
        raise ValueError(f"no choice of face {settings.face!r}; there are {', '.join(FACES)}")
    if settings.apex not in APEXES:
        raise ValueError(f"no way to find an apex {settings.apex!r}; there are {', '.join(APEXES)}")
    if not 32 <= settings.size <= 2048:
        raise ValueError(f"size is {settings.size}; expected 32 to 2048 pixels")
    check_method(settings.method)
    if settings.device != "auto":  # `auto` always is there, and torch takes long to import
        find_device(settings.device)


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
    if settings.pairs and not pair_path(out / done["path"]).is_file():
        return False
    if pd.isna(row["apex"]):
        return done["apex_source"] != "label" and (pd.isna(row["offset"]) or done["offset"] == row["offset"])
    return bool(done["apex"] == row["apex"])
