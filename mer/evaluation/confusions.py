"""The mistakes that an evaluation made most often, with clips that show them."""

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

PAIRS = 4  # of truth and answer
CLIPS = 2  # of each


def worst_confusions(predictions: pd.DataFrame, runs: int, pairs: int = PAIRS, clips: int = CLIPS) -> list[dict]:
    """The most frequent wrong answers, and the clips whose answer was furthest off.

    Parameters
    ----------
    predictions : DataFrame
        Of a :class:`mer.evaluation.result.Result`.
    runs : int
        How often each fold was trained.

    Returns
    -------
    list of dict
        `truth`, `answer`, `times` (clips, a mean over the runs), `of` (clips of that truth) and `clips`: at most so
        many dicts with `dataset, subject, clip, onset` and `seeds`, in how many of the runs the answer was that one.
        First come those that were wrong in most runs, then those whose score was furthest from the truth's.
    """
    rows = predictions[predictions["seed"] < runs]
    of = rows[rows["seed"] == rows["seed"].min()]["label"].value_counts()
    wrong = rows[(rows["prediction"] != rows["label"]) & (rows["prediction"] != "")]
    found = []
    for (truth, answer), group in wrong.groupby(["label", "prediction"], sort=True):
        margin = pd.Series(0.0, index=group.index)
        if f"score_{answer}" in group:
            margin = (group[f"score_{answer}"] - group[f"score_{truth}"]).fillna(0.0)
        each = group.assign(margin=margin).groupby(KEY, sort=True, dropna=False)["margin"].agg(["size", "mean"])
        each = each.sort_values(["size", "mean"], ascending=False, kind="stable").head(clips)
        shown = [dict(zip(KEY, key)) | {"seeds": int(size)} for key, size in each["size"].items()]
        found.append(
            {"truth": truth, "answer": answer, "times": len(group) / runs, "of": int(of[truth]), "clips": shown}
        )
    return sorted(found, key=lambda one: (-one["times"], -one["times"] / one["of"]))[:pairs]


def with_pictures(
    confusions: list[dict], folder: str | Path, run: dict[str, Any], with_faces: bool = False
) -> list[dict]:
    """The same, each clip with the `pictures` of its flow, and with `faces`, onset and apex, where they are asked for.

    What can't be read is left out, and `missing` says why.

    Parameters
    ----------
    folder : str or Path
        The flow folder.
    run : dict
        Its `run.json`.
    """
    folder = Path(folder)
    rows: dict[tuple, dict[str, Any]] = {}
    why = ""
    try:
        rows = {tuple(row[name] for name in KEY): row for row in read_samples(folder).to_dict("records")}
    except (ValueError, OSError) as error:
        why = str(error)
    for clip in (clip for confusion in confusions for clip in confusion["clips"]):
        row = rows.get(tuple(clip[name] for name in KEY))
        clip |= {"pictures": [], "faces": [], "missing": why or f"{folder} has no such clip any more"}
        if row is None:
            continue
        try:
            flow = load_flow(folder / row["path"])
            size = flow.mask.shape[0]
            landmarks = crop_landmarks(size) if run.get("align") else None  # alignment puts every face there
            clip["pictures"] = flow_pictures(flow, row["scale"] if row["scale"] > 0 else 0.0, landmarks)
            clip["apex"] = None if pd.isna(row["apex"]) else int(row["apex"])
            clip["faces"] = onset_and_apex(row, run) if with_faces else []
            clip["missing"] = ""
        except (ValueError, OSError) as error:
            clip["missing"] = str(error)
    return confusions


def onset_and_apex(row: dict[str, Any], run: dict[str, Any]) -> list[dict[str, str]]:
    """The faces of a clip at onset and apex, found again in the videos that the flow was made from.

    `ValueError` or `OSError` where they are not there any more.
    """
    source = _source(row, run)
    size = int(run.get("size", 224))
    images = dict(open_clip(source).frames([int(row["onset"]), int(row["apex"])]))
    faces = detect_faces(images[int(row["onset"])], run.get("align", "mediapipe"))
    if not faces:
        raise ValueError(f"no face is found in {source} any more")
    alignment = align(min(faces, key=FACES[run.get("face", "largest")]).landmarks, size)
    return [
        {"name": name, "image": jpeg(crop(images[int(row[name])], alignment)), "frame": str(int(row[name]))}
        for name in ("onset", "apex")
    ]


def _source(row: dict[str, Any], run: dict[str, Any]) -> str:
    videos = (run.get("inputs") or {}).get(row["dataset"])
    if videos is None:
        raise ValueError("run.json does not say where the videos are")
    table = _clips_of(row["dataset"], videos)
    same = table[(table["subject"] == row["subject"]) & (table["clip"] == row["clip"])]
    if same.empty:
        raise ValueError(f"{row['subject']}/{row['clip']} is not in {videos} any more")
    return str(same.iloc[0]["source"])


@lru_cache(maxsize=4)
def _clips_of(dataset: str, videos: str) -> pd.DataFrame:
    return load_dataset(dataset, videos) if dataset in DATASETS else list_clips(videos)
