"""Spot a folder of videos, or a database: one folder with the spotted and the annotated intervals of all.

::

    spotted/
      run.json            command, settings
      videos.csv          one row per video: dataset, subject, clip, fps, frames, status, message
      spotted.csv         one row per spotted interval: dataset, subject, clip, onset, apex, offset, kind, strength, ...
      truth.csv           one row per annotated interval, if there are any: ..., onset, apex, offset, kind, label
      <dataset>/<subject>/<clip>/intervals.csv, curve.csv, curve.png
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mer.datasets import find_dataset, load_dataset, read_copy
from mer.datasets.samples import SamplesError
from mer.datasets.tables import restored
from mer.datasets.video_folder import list_clips
from mer.extraction.flow_folder import flow_path, group_versions, run_versions
from mer.extraction.methods import Method, describe_method
from mer.extraction.sources import find_sources, is_same, read_sources, write_sources
from mer.models.emotion_reader import EmotionReader
from mer.spotting.intervals import MICRO_SECONDS
from mer.spotting.measure_interval import name_emotions, settings_for
from mer.spotting.scores import KINDS, VIDEO
from mer.spotting.spot_video import METHOD, RATE, Spotting, spot, write_table
from mer.utils.atomic_files import write_json
from mer.utils.folder_lock import lock_folder
from mer.utils.progress import Track, untracked

DONE = "done.csv"  # in the folder of a video, written last
TRUTH = [*VIDEO, "onset", "apex", "offset", "kind", "label"]
INTERVALS = [*VIDEO, "onset", "apex", "offset", "kind", "strength", "prediction"]


def spot_folder(
    videos: str | Path,
    out: str | Path,
    *,
    dataset: str | None = None,
    annotations: str | Path | None = None,
    method: Method = METHOD,
    fps: float | None = None,
    rate: float = RATE,
    face: str = "largest",
    align: str = "mediapipe",
    model: str | Path | None = None,
    device: str = "auto",
    verify: bool = False,
    track: Track | None = None,
) -> pd.DataFrame:
    """Spot every video of a folder, and write the spotted and the annotated intervals.

    A second run with the same settings resumes; videos that have changed are spotted again.

    Parameters
    ----------
    videos : str or Path
        See :func:`mer.datasets.video_folder.list_clips`. Its `labels.csv` may have a column `kind` (micro or macro);
        without it, the duration decides. With `dataset`, the folder of that database.
    out : str or Path
        The folder to write, for :func:`mer.spotting.evaluate_spotting`.
    dataset : str, optional
        A name in :data:`mer.datasets.DATASETS`, such as `casme-sq` or `samm-lv`, whose annotations are the truth.
    annotations : str or Path, optional
        Label file instead of `videos/labels.csv`, or the sheet of the database.
    model : str or Path, optional
        A file of `mer train classifier` that names the emotion of each spotted interval, as the STRS requires.
    method, fps, rate, face, align, device
        As in :func:`mer.spot`.
    verify : bool
        Recognize changed videos by their content. By default, by their size and time of modification.
    track : function, optional
        Wraps the iterator over videos, to show progress.

    Returns
    -------
    DataFrame
        `videos.csv`. A video that cannot be read has a `status` other than `ok`, and a `message`.

    Raises
    ------
    ValueError
        If the labels, a setting or the model are invalid, or `out` was made with other settings.
    OSError
        If `out` cannot be written, or another run is writing to it.
    """
    out = Path(out)
    table, truth = _list_videos(videos, dataset, annotations)
    options = {"method": method, "rate": rate, "face": face, "align": align, "device": device}
    read_emotions = reader = None
    if model is not None:
        reader = EmotionReader.load(model)
        read_emotions = partial(name_emotions, reader, settings=settings_for(reader, device=device))
    record = {
        "videos": str(Path(videos).resolve()), **describe_method(method), "fps": fps, "rate": rate, "face": face,
        "align": align, "model": None if model is None else str(model),
        "model_sha256": reader.sha256 if reader else None,
    }  # fmt: skip
    track = track or untracked
    jobs = table.assign(fps=fps or table["fps"], apex=None, offset=None, onset=0).to_dict("records")
    for row in jobs:
        row["path"] = flow_path(row).removesuffix("_0.npz")
    with lock_folder(out):
        _resume(out, jobs, record, verify, track)
        write_table(truth.reindex(columns=TRUTH), out / "truth.csv")
        rows, intervals = [], []
        for row in track(jobs, len(jobs), "videos"):
            video = {name: row[name] for name in VIDEO}
            result, spotted = _spot_once(row, out, options, read_emotions)
            rows.append(video | result)
            if spotted is not None:
                intervals.append(spotted.assign(**video))
            write_table(pd.DataFrame(rows)[[*VIDEO, "fps", "frames", "status", "message"]], out / "videos.csv")
            spotted_all = pd.concat(intervals) if intervals else pd.DataFrame()
            write_table(spotted_all.reindex(columns=INTERVALS), out / "spotted.csv")
        return pd.DataFrame(rows)


def _spot_once(
    row: dict[str, Any],
    out: Path,
    options: dict[str, Any],
    read_emotions: Callable[[Spotting], list[str]] | None,
) -> tuple[dict[str, Any], pd.DataFrame | None]:
    """Spot one video, or read the result of an earlier run.

    Returns
    -------
    result : dict
        `fps, frames, status, message`.
    intervals : DataFrame or None
        None if the video cannot be read.
    """
    folder = out / row["path"]
    done = folder / DONE
    if done.is_file():
        result = restored(pd.read_csv(done, dtype={"message": str}, keep_default_na=False)).iloc[0].to_dict()
        return result, restored(pd.read_csv(folder / "intervals.csv"))
    try:
        spotting = spot(row["source"], fps=row["fps"] if np.isfinite(row["fps"]) else None, **options)
    except (ValueError, OSError) as error:
        return {"fps": row["fps"], "frames": 0, "status": "unreadable", "message": str(error)}, None
    intervals = spotting.intervals
    if read_emotions is not None:
        intervals = intervals.assign(prediction=read_emotions(spotting))
    status, message = ("ok", "; ".join(spotting.notes)) if spotting.keys else ("no_face", "no frame shows a face")
    result = {"fps": spotting.fps, "frames": spotting.frames, "status": status, "message": message}
    spotting.save(folder)
    write_table(intervals, folder / "intervals.csv")
    write_table(pd.DataFrame([result]), done)
    return result, intervals


def _resume(out: Path, jobs: list[dict[str, Any]], record: dict[str, Any], verify: bool, track: Track) -> None:
    """Write the records of a run, after removing the marks of videos whose file or labeled frame rate has changed."""
    earlier = _check_earlier_run(out, record)
    recorded = read_sources(out)
    sources = find_sources(jobs, recorded, verify, track)
    for path, now in sources.items():
        was = recorded.get(path)
        if was is not None and not (is_same(now, was) and now["fps"] == was["fps"]):
            (out / path / DONE).unlink(missing_ok=True)
    kept = [path for path in sources if (out / path / DONE).is_file()]
    made = [path for path in sources if path not in kept]
    if made or not earlier:
        record |= {"versions": run_versions()}
        group_versions(record, earlier, made, kept)
        write_json(out / "run.json", record)
    write_sources(out, recorded | sources)


def _check_earlier_run(out: Path, record: dict[str, Any]) -> dict[str, Any]:
    """The record of the earlier run, if any; `ValueError` if it had other settings."""
    path = out / "run.json"
    if not path.is_file():
        return {}
    try:
        earlier = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        earlier = {}
    # Before its hash was recorded, the name of the model was the only sign of another one.
    known = {"model_sha256": record["model_sha256"], **earlier}
    different = sorted(key for key in record if known.get(key) != record[key])
    if different:
        raise ValueError(f"{out} was made with another {', '.join(different)}; choose another --out, or remove it")
    return earlier


# --- videos and annotations ---


def _list_videos(
    videos: str | Path, dataset: str | None, annotations: str | Path | None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """One row per video (`dataset, subject, clip, fps, source`), and the annotated intervals."""
    if dataset is None:
        return _list_folder(videos, annotations)
    parts = []
    for kind in KINDS:
        try:
            parts.append(load_dataset(dataset, videos, annotations, macro=kind == "macro").assign(kind=kind))
        except SamplesError:
            if kind == "micro":  # most databases have no macro-expressions
                raise
    truth = pd.concat(parts, ignore_index=True)
    truth = truth[~truth["status"].isin(["bad_annotation", "missing_clip"])]
    truth["offset"] = truth["offset"].fillna(truth["apex"])
    folders = read_copy(find_dataset(dataset), videos, annotations).frames.folders
    names = {(row["subject"], row["clip"].casefold()): row["clip"] for row in truth.to_dict("records")}
    rows = [
        {"dataset": dataset, "subject": clip.subject, "clip": names.get((clip.subject, clip.clip), clip.clip),
         "fps": find_dataset(dataset).fps, "source": str(path)}
        for clip, path in folders.items()
    ]  # fmt: skip
    return pd.DataFrame(rows).drop_duplicates(VIDEO).sort_values(VIDEO, ignore_index=True), truth


def _list_folder(videos: str | Path, annotations: str | Path | None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The videos and annotated intervals of a folder with a label file."""
    table = list_clips(videos, annotations)
    wrong = sorted(set(table["kind"]) - {"", *KINDS})
    if wrong:
        raise SamplesError(f"the labels of {videos}: kind {wrong[0]!r} is neither micro nor macro")
    truth = table[table["onset"].notna() & table["offset"].notna()]
    seconds = (truth["offset"] - truth["onset"]).astype(float) / truth["fps"]
    by_duration = np.where(seconds <= MICRO_SECONDS, "micro", "macro").tolist()
    if (truth["fps"].isna() & (truth["kind"] == "")).any():
        raise SamplesError("labels.csv needs a column kind (micro or macro), or fps, from which the kind follows")
    truth = truth.assign(kind=[kind or duration for kind, duration in zip(truth["kind"], by_duration)])
    existing = table[table["source"] != ""]
    return existing.drop_duplicates(VIDEO)[[*VIDEO, "fps", "source"]], truth
