"""Spotting a folder of videos, or a database: the spotted and the annotated intervals of all, in one folder.

::

    spotted/
      run.json            command, settings
      videos.csv          one row a video: dataset, subject, clip, fps, frames, status, message
      spotted.csv         one row a spotted interval: dataset, subject, clip, onset, apex, offset, kind, strength, ...
      truth.csv           one row an annotated one, where there are any: ..., onset, apex, offset, kind, label
      <dataset>/<subject>/<clip>/intervals.csv, curve.csv, curve.png
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mer.datasets import find_dataset, load_dataset, read_copy
from mer.datasets.samples import SamplesError
from mer.datasets.video_folder import list_clips
from mer.extraction.flow_folder import flow_path
from mer.extraction.methods import Method, describe_method
from mer.spotting.intervals import MICRO_SECONDS
from mer.spotting.recognition import Recognizer
from mer.spotting.scores import KINDS, VIDEO
from mer.spotting.spot_video import METHOD, RATE, spot
from mer.utils.atomic_files import write_json, write_whole
from mer.utils.folder_lock import lock_folder
from mer.utils.progress import Track

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
    track: Track | None = None,
) -> pd.DataFrame:
    """Spot every video of a folder, and write what was found beside what is annotated.

    Run again with the same settings, it goes on where it stopped.

    Parameters
    ----------
    videos : str or Path
        As :func:`mer.datasets.video_folder.list_clips` reads it; its `labels.csv` may have a column `kind` (micro or macro), without
        which the duration decides. With `dataset`, the folder of that database.
    out : str or Path
        The folder to write; :func:`mer.spotting.spotting_result` reads it.
    dataset : str, optional
        A name in :data:`mer.datasets.DATASETS`, such as `casme-sq` and `samm-lv`: their annotations count as truth.
    annotations : str or Path, optional
        Label file in the place of `videos/labels.csv`, or the sheet of the database.
    model : str or Path, optional
        A file of `mer train classifier`: names each spotted interval's emotion, as the STRS needs it.
    method, fps, rate, face, align, device, track
        As in :func:`mer.spot`; `track` shows videos.

    Returns
    -------
    DataFrame
        `videos.csv`: a video that cannot be read has a `status` other than `ok` and a `message`.
    """
    out = Path(out)
    table, truth = _read(videos, dataset, annotations)
    recognizer = None if model is None else Recognizer(model, device)
    record = {
        "videos": str(Path(videos).resolve()), **describe_method(method), "fps": fps, "rate": rate, "face": face,
        "align": align, "model": None if model is None else str(model),
    }  # fmt: skip
    with lock_folder(out):
        _go_on(out, record)
        _write(truth.reindex(columns=TRUTH), out / "truth.csv")
        rows, found = [], []
        jobs = table.to_dict("records")
        for row in track(jobs, len(jobs), "videos") if track else jobs:
            place = out / flow_path({**row, "onset": 0}).removesuffix("_0.npz")
            status, message, intervals = "ok", "", None
            own = fps or (row["fps"] if np.isfinite(row["fps"]) else None)
            if (place / "done.csv").is_file():
                done = pd.read_csv(place / "done.csv", dtype={"message": str}, keep_default_na=False).iloc[0].to_dict()
                intervals = pd.read_csv(place / "intervals.csv")
            else:
                try:
                    spotting = spot(
                        row["source"], method=method, fps=own, rate=rate, face=face, align=align, device=device
                    )  # fmt: skip
                except (ValueError, OSError) as error:
                    status, message = "unreadable", str(error)
                    done = {"fps": own, "frames": 0}
                else:
                    intervals = spotting.intervals
                    if recognizer is not None:
                        intervals = intervals.assign(prediction=recognizer.name_emotions(spotting))
                    if not spotting.keys:
                        status, message = "no_face", "no face in it"
                    done = {"fps": spotting.fps, "frames": spotting.frames}
                    spotting.save(place)
                    _write(intervals, place / "intervals.csv")
                    _write(pd.DataFrame([{**done, "status": status, "message": message}]), place / "done.csv")
            rows.append({name: row[name] for name in VIDEO} | {"status": status, "message": message} | done)
            if intervals is not None:
                found.append(intervals.assign(**{name: row[name] for name in VIDEO}))
            _write(pd.DataFrame(rows)[[*VIDEO, "fps", "frames", "status", "message"]], out / "videos.csv")
            spotted = pd.concat(found) if found else pd.DataFrame()
            _write(spotted.reindex(columns=INTERVALS), out / "spotted.csv")
        return pd.DataFrame(rows)


def _write(table: pd.DataFrame, path: Path) -> None:
    with write_whole(path) as file:
        table.to_csv(file, index=False, lineterminator="\n")


def _go_on(out: Path, record: dict[str, Any]) -> None:
    """Write `run.json`; `ValueError` where the folder holds intervals that were found in another way."""
    import json

    path = out / "run.json"
    if path.is_file():
        try:
            earlier = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            earlier = {}
        differ = sorted(key for key in record if earlier.get(key) != record[key])
        if differ:
            raise ValueError(f"{out} was made with another {', '.join(differ)}; choose another --out, or remove it")
    write_json(path, record)


# --- which videos there are, and what is annotated in them ---


def _read(videos: str | Path, dataset: str | None, annotations: str | Path | None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """One row a video (`dataset, subject, clip, fps, source`), and the annotated intervals."""
    if dataset is None:
        table = list_clips(videos, annotations)
        kinds = _kinds(Path(annotations) if annotations else Path(videos) / "labels.csv")
        truth = table[table["onset"].notna() & table["offset"].notna()]
        seconds = (truth["offset"] - truth["onset"]).astype(float) / truth["fps"]
        by_duration = np.where(seconds <= MICRO_SECONDS, "micro", "macro").tolist()
        keys = zip(truth["subject"], truth["clip"], truth["onset"])
        named = [kinds.get((subject, clip, int(onset)), "") for subject, clip, onset in keys]
        if (truth["fps"].isna() & (np.array(named, object) == "")).any():
            raise SamplesError("labels.csv has neither a column kind (micro or macro) nor fps, which tells it")
        truth = truth.assign(kind=[a or b for a, b in zip(named, by_duration)])
        there = table[table["source"] != ""]
        return there.drop_duplicates(VIDEO)[[*VIDEO, "fps", "source"]], truth
    parts = []
    for kind in KINDS:
        try:
            parts.append(load_dataset(dataset, videos, annotations, macro=kind == "macro").assign(kind=kind))
        except SamplesError:
            if kind == "micro":  # most databases have no other
                raise
    truth = pd.concat(parts, ignore_index=True)
    truth = truth[~truth["status"].isin(["bad_annotation", "missing_clip"])]
    truth["offset"] = truth["offset"].fillna(truth["apex"])
    folders = read_copy(find_dataset(dataset), videos, annotations).frames.folders
    names = {(row["subject"], row["clip"].casefold()): row["clip"] for row in truth.to_dict("records")}
    rows = [
        {"dataset": dataset, "subject": place.subject, "clip": names.get((place.subject, place.clip), place.clip),
         "fps": find_dataset(dataset).fps, "source": str(path)}
        for place, path in folders.items()
    ]  # fmt: skip
    return pd.DataFrame(rows).drop_duplicates(VIDEO).sort_values(VIDEO, ignore_index=True), truth


def _kinds(labels: Path) -> dict[tuple[str, str, int], str]:
    """`(subject, clip, onset)` -> the column `kind` of a label file, where it has one."""
    if not labels.is_file():
        return {}
    table = pd.read_csv(labels, dtype=str, keep_default_na=False, encoding="utf-8-sig", skipinitialspace=True)
    table.columns = table.columns.str.strip().str.lower()
    if not {"kind", "onset"} <= set(table):
        return {}
    kinds = table["kind"].str.strip().str.casefold()
    wrong = sorted(set(kinds) - {"", *KINDS})
    if wrong:
        raise SamplesError(f"{labels}: kind {wrong[0]!r} is neither micro nor macro")
    rows = zip(table["subject"].str.strip(), table["clip"].str.strip(), table["onset"].str.strip(), kinds)
    return {(subject, clip, int(float(onset))): kind for subject, clip, onset, kind in rows if onset}
