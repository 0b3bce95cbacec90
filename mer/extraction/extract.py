"""From a folder of videos to a flow folder, clip by clip (:mod:`mer.extraction.clip`); resumable and in parallel."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from mer.datasets import load_dataset
from mer.datasets.samples import conform, write_samples
from mer.datasets.video import ClipError, frame_files
from mer.datasets.video_folder import list_clips
from mer.extraction.clip import RESULT, extract_clip
from mer.extraction.flow_folder import earlier_run, flow_path, inside, refuse_equal_paths, refuse_foreign, run_record
from mer.extraction.frame_files import clip_path, pair_path
from mer.extraction.methods import DEFAULT_METHOD, Method
from mer.extraction.settings import ExtractionSettings
from mer.flow import is_flow_file
from mer.utils.atomic_files import write_json
from mer.utils.folder_lock import lock_folder
from mer.utils.processes import DIED, parse_bytes, run_jobs
from mer.utils.progress import Track, untracked

# Seconds between two writes of samples.csv: the work that a crash can lose. Long tables take long to write, so the
# interval grows until writing takes at most this share of the time.
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
    isolate: bool = False,
    memory_limit: int | str | None = None,
) -> pd.DataFrame:
    """Estimate the flow from onset to apex of each clip in a folder, and write a flow folder.

    A second run with the same settings resumes: it skips clips whose flow exists, and retries those that failed.

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
        Label file instead of `videos/labels.csv`, or the sheet of the database.
    labels : {"emotion", "objective"}
        Which labels of the database to use; see :func:`mer.datasets.load_dataset`.
    stabilize : bool
        Align the apex by its own landmarks instead of the onset's. This removes in-plane head motion before the flow
        is estimated, but adds the jitter of the landmarks.
    face : {"largest", "left", "right"}
        Which face to take if there are several; left and right are those of the image.
    workers : int
        Processes. The result doesn't depend on it. With 1, the clips run in this process, unless `isolate` is true.
    device : str
        `auto`, `cpu` or `cuda`, for methods that are networks.
    overwrite : bool
        Discard the flows in `out` that were made with other settings or annotations.
    track : function, optional
        Wraps the iterator over clips, to show progress.
    cluster : str, optional
        Address of a Dask scheduler whose workers extract the clips. They must see the videos and `out` at the same
        paths (:mod:`mer.utils.dask_cluster`).
    clips : bool
        Also keep the aligned gray frames of each clip (:mod:`mer.extraction.frame_files`), for `svm-lbptop`,
        `svm-3dhog` and `r3d`. They show faces, and are as private as the videos.
    pairs : bool
        Also keep the aligned onset and apex in color, for `end-to-end` and `mmnet-frames`. They show faces, too.
    apex : {"flow", "strain", "midpoint"}
        How to find the apex of a clip without an apex label (:mod:`mer.extraction.apex`): the frame with the largest
        flow, the frame with the most strain, or the frame in the middle between onset and offset.
    warn : function, optional
        Receives one sentence for each choice that was made in reading a database, such as which of two sheets to use.
    isolate : bool
        Run the clips in another process even if `workers` is 1, so that a clip that kills its process gets the status
        `failed` and the others continue. `mer extract-flow` always does.
    memory_limit : int or str, optional
        Bytes that each process may allocate, as 4 * 10**9 or `4GB`; implies `isolate`. A clip that needs more gets the
        status `failed`. It has no effect except on Linux.

    Returns
    -------
    DataFrame
        The samples table, as in `out/samples.csv`.

    Raises
    ------
    ValueError
        If a setting is invalid, or `out` holds flows made with other settings or from other videos.
    OSError
        If `out` cannot be written, for example because the disk is full, or another run is writing to it. Finished
        clips are kept.
    """
    settings = ExtractionSettings(method, align, size, stabilize, face, device, clips, pairs, apex)
    settings.check()
    if isinstance(memory_limit, str):
        memory_limit = parse_bytes(memory_limit)
    out = Path(out)
    table = _list_clips(videos, dataset, annotations, labels, warn)
    refuse_equal_paths(table)
    refuse_foreign(out, overwrite)
    record = run_record(settings.record(), videos, table)
    with lock_folder(out):
        earlier = earlier_run(out, record, overwrite)
        others = earlier[~earlier["dataset"].isin(table["dataset"])]
        _take_over(table, earlier, out, settings)
        # If nothing is left to do, run.json keeps the command that made the flows.
        if (table["status"] == "").any() or overwrite or not (out / "run.json").exists():
            write_json(out / "run.json", record)
        run = partial(
            run_jobs, workers=workers, died=_died, cluster=cluster, isolate=isolate, memory_limit=memory_limit
        )
        _extract_open_clips(table, others, out, settings, run, track or untracked)
    return conform(table)


def _list_clips(
    videos: str | Path,
    dataset: str | None,
    annotations: str | Path | None,
    labels: str,
    warn: Callable[[str], None] | None,
) -> pd.DataFrame:
    """The clips as a samples table, with the onset and the path of each flow file."""
    if dataset:
        table = load_dataset(dataset, videos, annotations, labels, warn=warn)
    elif labels == "emotion":
        table = list_clips(videos, annotations)
    else:
        raise ValueError(f"labels {labels!r} exist only in databases; name the database with --dataset")
    table["onset"] = [_onset(row) for row in table.to_dict("records")]
    table["path"] = [flow_path(row) for row in table.to_dict("records")]
    return table


def _onset(row: dict[str, Any]) -> int | None:
    """The onset, which is part of the name of the flow file: as labeled, or the number of the first frame."""
    if not pd.isna(row["onset"]):
        return int(row["onset"])
    source = Path(row["source"])
    try:
        return next(iter(frame_files(source)), 0) if not row["status"] and source.is_dir() else 0
    except (ClipError, OSError):  # reported when the clip is opened
        return 0


def _take_over(table: pd.DataFrame, earlier: pd.DataFrame, out: Path, settings: ExtractionSettings) -> None:
    """Fill in the results of an earlier run whose flow files are still valid."""
    done = {row["path"]: row for row in earlier.to_dict("records") if row["status"] == "ok"}
    for i, row in enumerate(table.to_dict("records")):
        if row["status"] == "" and _is_valid(row, done.get(row["path"]), out, settings):
            for column in RESULT:
                table.loc[i, column] = done[row["path"]][column]


def _is_valid(row: dict[str, Any], done: dict[str, Any] | None, out: Path, settings: ExtractionSettings) -> bool:
    """Whether the flow of an earlier run is there, undamaged, and made from the frames that this row asks for."""
    if done is None or not inside(out, done["path"]) or not is_flow_file(out / done["path"], settings.size):
        return False
    if settings.clips and not clip_path(out / done["path"]).is_file():
        return False
    if settings.pairs and not pair_path(out / done["path"]).is_file():
        return False
    if pd.isna(row["apex"]):
        return done["apex_source"] != "label" and (pd.isna(row["offset"]) or done["offset"] == row["offset"])
    return bool(done["apex"] == row["apex"])


def _extract_open_clips(
    table: pd.DataFrame,
    others: pd.DataFrame,
    out: Path,
    settings: ExtractionSettings,
    run: Callable[..., Iterator[tuple[int, Any]]],
    track: Track,
) -> None:
    """Extract the clips without a status, fill in `table`, and write it, together with the rows of other datasets."""

    def save() -> float:
        """Write the table; return the time at which to write it again."""
        began = time.monotonic()
        write_samples(pd.concat([others, table]), out / "samples.csv")
        ended = time.monotonic()
        return ended + max(SAVE_EVERY, (ended - began) / SAVE_SHARE)

    jobs = [(i, row) for i, row in enumerate(table.to_dict("records")) if row["status"] == ""]
    shared = [out / "run.json", *(row["source"] for _, row in jobs[:1])]
    results = run(lambda job: extract_clip(job[1], out, settings), jobs, shared=shared)
    due = time.monotonic() + SAVE_EVERY
    try:
        for number, fields in track(results, len(jobs), "clips"):
            for column, value in fields.items():
                table.loc[jobs[number][0], column] = value
            if time.monotonic() > due:
                due = save()
    finally:  # an interrupted run keeps its finished clips
        save()


def _died(job: tuple[int, dict[str, Any]]) -> dict[str, Any]:
    return {"status": "failed", "message": DIED}
