"""The most frequent confusions of an evaluation, with pictures of example clips."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd

from mer.datasets import DATASETS, load_dataset
from mer.datasets.samples import KEY, read_samples
from mer.datasets.video import open_clip
from mer.datasets.video_folder import list_clips
from mer.extraction.settings import FACES
from mer.face import align, crop, crop_landmarks, detect_faces
from mer.flow import load_flow
from mer.report.pictures import flow_pictures, jpeg

PAIRS = 4  # of truth and prediction
CLIPS = 2  # of each pair


def worst_confusions(predictions: pd.DataFrame, runs: int, pairs: int = PAIRS, clips: int = CLIPS) -> list[dict]:
    """The most frequent wrong predictions, and the clips that are furthest off.

    Parameters
    ----------
    predictions : DataFrame
        Of a :class:`mer.evaluation.result.Result`.
    runs : int
        How many times each fold was trained.

    Returns
    -------
    list of dict
        `truth`, `answer`, `times` (number of clips, a mean over the runs), `of` (number of clips of that truth) and
        `clips`: up to `clips` dicts with `dataset, subject, clip, onset` and `seeds`, the number of runs with this
        prediction. Clips that are wrong in most runs come first, then those with the largest difference of scores.
    """
    rows = predictions
    of = rows[rows["seed"] == rows["seed"].min()]["label"].value_counts()
    wrong = rows[(rows["prediction"] != rows["label"]) & (rows["prediction"] != "")]
    confusions = []
    for (truth, answer), group in wrong.groupby(["label", "prediction"], sort=True):
        margin = pd.Series(0.0, index=group.index)
        if f"score_{answer}" in group:
            margin = (group[f"score_{answer}"] - group[f"score_{truth}"]).fillna(0.0)
        by_clip = group.assign(margin=margin).groupby(KEY, sort=True, dropna=False)["margin"].agg(["size", "mean"])
        by_clip = by_clip.sort_values(["size", "mean"], ascending=False, kind="stable").head(clips)
        examples = [dict(zip(KEY, key)) | {"seeds": int(size)} for key, size in by_clip["size"].items()]
        confusions.append(
            {"truth": truth, "answer": answer, "times": len(group) / runs, "of": int(of[truth]), "clips": examples}
        )
    return sorted(confusions, key=lambda each: (-each["times"], -each["times"] / each["of"]))[:pairs]


def with_pictures(
    confusions: list[dict], folder: str | Path, run: dict[str, Any], with_faces: bool = False
) -> list[dict]:
    """Add the `pictures` of its flow to each clip, and `faces`, the onset and apex, if they are requested.

    If a clip cannot be read, its lists are empty and `missing` has the reason.

    Parameters
    ----------
    folder : str or Path
        The flow folder.
    run : dict
        Its `run.json`.
    """
    folder = Path(folder)
    rows: dict[tuple, dict[str, Any]] = {}
    reason = ""
    try:
        rows = {tuple(row[name] for name in KEY): row for row in read_samples(folder).to_dict("records")}
    except (ValueError, OSError) as error:
        reason = str(error)
    for clip in (clip for confusion in confusions for clip in confusion["clips"]):
        row = rows.get(tuple(clip[name] for name in KEY))
        clip |= {"pictures": [], "faces": [], "missing": reason or f"{folder} no longer has this clip"}
        if row is None:
            continue
        try:
            flow = load_flow(folder / row["path"])
            size = flow.mask.shape[0]
            landmarks = crop_landmarks(size) if run.get("align") else None  # the same for all aligned faces
            clip["pictures"] = flow_pictures(flow, row["scale"] if row["scale"] > 0 else 0.0, landmarks)
            clip["apex"] = None if pd.isna(row["apex"]) else int(row["apex"])
            clip["faces"] = onset_and_apex(row, run) if with_faces else []
            clip["missing"] = ""
        except (ValueError, OSError) as error:
            clip["missing"] = str(error)
    return confusions


def onset_and_apex(row: dict[str, Any], run: dict[str, Any]) -> list[dict[str, str]]:
    """The aligned faces of a clip at onset and apex, from the videos that the flow was extracted from.

    `ValueError` or `OSError` if they cannot be read.
    """
    source = _source(row, run)
    size = int(run.get("size", 224))
    images = dict(open_clip(source).frames([int(row["onset"]), int(row["apex"])]))
    faces = detect_faces(images[int(row["onset"])], run.get("align", "mediapipe"))
    if not faces:
        raise ValueError(f"no face is found in {source}")
    alignment = align(min(faces, key=FACES[run.get("face", "largest")]).landmarks, size)
    return [
        {"name": name, "image": jpeg(crop(images[int(row[name])], alignment)), "frame": str(int(row[name]))}
        for name in ("onset", "apex")
    ]


def _source(row: dict[str, Any], run: dict[str, Any]) -> str:
    videos = (run.get("inputs") or {}).get(row["dataset"])
    if videos is None:
        raise ValueError("run.json does not name the videos")
    table = _clips_of(row["dataset"], videos)
    same = table[(table["subject"] == row["subject"]) & (table["clip"] == row["clip"])]
    if same.empty:
        raise ValueError(f"{row['subject']}/{row['clip']} is no longer in {videos}")
    return str(same.iloc[0]["source"])


@lru_cache(maxsize=4)
def _clips_of(dataset: str, videos: str) -> pd.DataFrame:
    return load_dataset(dataset, videos) if dataset in DATASETS else list_clips(videos)
