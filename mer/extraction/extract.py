"""From a folder of videos to a flow folder, clip by clip (:mod:`mer.extraction.clip`); resumable and in parallel."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mer.datasets import load_dataset
from mer.datasets.samples import KEY, conform, write_samples
from mer.datasets.video import ClipError, frame_files, open_clip
from mer.datasets.video_folder import list_clips
from mer.extraction.clip import RESULT, extract_clip, interval_of
from mer.extraction.expression import ClipFault
from mer.extraction.flow_folder import (
    earlier_run,
    flow_path,
    group_versions,
    inside,
    read_run,
    refuse_equal_paths,
    refuse_foreign,
    remove_flows,
    run_record,
)
from mer.extraction.frame_files import clip_path, pair_path
from mer.extraction.methods import DEFAULT_METHOD, Method
from mer.extraction.settings import ExtractionSettings
from mer.extraction.sources import Source, find_sources, is_same, labels_of, read_sources, write_sources
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
    verify: bool = False,
    warn: Callable[[str], None] | None = None,
    isolate: bool = False,
    memory_limit: int | str | None = None,
) -> pd.DataFrame:
    """Estimate the flow from onset to apex of each clip in a folder, and write a flow folder.

    A second run with the same settings resumes: it skips clips whose flow exists, and retries those that failed. A clip
    is extracted again if its video, onset or apex has changed; other corrected labels only change `samples.csv`.

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
    verify : bool
        Recognize changed videos by their content. By default, by their size and time of modification.
    warn : function, optional
        Receives one sentence for each choice that was made in reading a database, such as which of two sheets to use,
        and one about clips that are extracted again.
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
    track = track or untracked
    with lock_folder(out):
        earlier = earlier_run(out, record, overwrite)
        others = earlier[~earlier["dataset"].isin(table["dataset"])]
        recorded = read_sources(out)
        sources = find_sources(table[table["status"] == ""].to_dict("records"), recorded, verify, track)
        _take_over(table, earlier, sources, recorded, out, settings, warn)
        is_open = table["status"] == ""
        # If nothing is left to do, run.json keeps the command that made the flows.
        if is_open.any() or overwrite or not (out / "run.json").exists():
            before = {} if overwrite or earlier.empty else read_run(out / "run.json")
            kept = [*others["path"], *table.loc[table["status"] == "ok", "path"]]
            group_versions(record, before, list(table.loc[is_open, "path"]), kept)
            write_json(out / "run.json", record)
        # The table comes first: a killed run must not leave the new source beside the old row of a clip.
        write_samples(pd.concat([others, table]), out / "samples.csv")
        remove_flows(out, _with_another_onset(earlier, table))
        write_sources(out, {path: recorded[path] for path in others["path"] if path in recorded} | sources)
        run = partial(
            run_jobs, workers=workers, died=_died, cluster=cluster, isolate=isolate, memory_limit=memory_limit
        )
        _extract_open_clips(table, others, out, settings, run, track)
    return conform(table)


def _with_another_onset(earlier: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """The earlier rows of clips whose onset has been corrected since."""
    clips = set(table[KEY[:3]].itertuples(index=False, name=None))
    known = [clip in clips for clip in earlier[KEY[:3]].itertuples(index=False, name=None)]
    return earlier[np.array(known, bool) & ~earlier["path"].isin(table["path"])]


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


def _take_over(
    table: pd.DataFrame,
    earlier: pd.DataFrame,
    sources: dict[str, Source],
    recorded: dict[str, Source],
    out: Path,
    settings: ExtractionSettings,
    warn: Callable[[str], None] | None,
) -> None:
    """Fill in the results of an earlier run that are still valid."""
    done = {row["path"]: row for row in earlier.to_dict("records") if row["status"] == "ok"}
    changed = []
    for i, row in enumerate(table.to_dict("records")):
        result = done.get(row["path"])
        if row["status"] or result is None or not _is_complete(out, result["path"], settings):
            continue
        was = recorded.get(row["path"])
        if was is None or is_same(sources[row["path"]], was):
            result = _relabel(row, result, was or _labels_before(row, result), settings)
        else:
            result = None
        if result is None:
            changed.append(f"{row['subject']}/{row['clip']}")
            continue
        for column in RESULT:
            table.loc[i, column] = result[column]
    if changed and warn is not None:
        clips = f"{len(changed)} clips are" if len(changed) > 1 else "1 clip is"
        warn(f"{clips} extracted again, since the video or a label has changed, such as {changed[0]}")


def _is_complete(out: Path, path: str, settings: ExtractionSettings) -> bool:
    """Whether the files of a clip are there, and its flow is undamaged."""
    return (
        inside(out, path)
        and is_flow_file(out / path, settings.size)
        and (not settings.clips or clip_path(out / path).is_file())
        and (not settings.pairs or pair_path(out / path).is_file())
    )


def _labels_before(row: dict[str, Any], result: dict[str, Any]) -> Source:
    """The labels of a clip without a record: as in its result, blank if they are blank now."""
    before = {name: result[name] if pd.notna(row[name]) else row[name] for name in ("offset", "fps")}
    return labels_of({"apex": result["apex"] if result["apex_source"] == "label" else None, **before})


def _relabel(
    row: dict[str, Any], result: dict[str, Any], before: Source, settings: ExtractionSettings
) -> dict[str, Any] | None:
    """The result with the labels of the row, or None if they ask for another flow."""
    now = labels_of(row)
    changed = {name for name in now if now[name] != before[name]}
    if not changed:
        return result
    if "apex" in changed or ("offset" in changed and (result["apex_source"] != "label" or settings.clips)):
        return None
    try:
        clip = open_clip(row["source"])
        offset = interval_of(clip, row)[1]
    except (ClipFault, ClipError, OSError):
        return None
    fps = clip.fps if pd.isna(row["fps"]) else row["fps"]
    return None if result["apex"] > offset else {**result, "offset": offset, "fps": fps}


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
