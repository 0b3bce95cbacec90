"""Agreement of spotted intervals with annotated ones, by the rules of the MEGC.

A spotted interval is a true positive if its intersection with an annotated one of the same kind in the same video is at
least half of their union. Each interval is matched once. All videos of a database count as one long video: with `m`
annotated, `n` spotted and `a` true positives, precision is `a / n`, recall `a / m` and `F1 = 2 a / (m + n)`. F1 is
never averaged over videos. Overall counts are the sums over both kinds.

Sources: Li, Soladie, Seguier, Wang and Yap, "Spotting micro-expressions on long videos sequences", FG 2019; guidelines
of the MEGC 2019 to 2022.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment

IOU = 0.5
KINDS = ("micro", "macro")
VIDEO = ["dataset", "subject", "clip"]


def iou(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Intersection over union of frame intervals, `(n, m)` from `(n, 2)` and `(m, 2)`.

    Both ends belong to an interval: `[10, 19]` has ten frames.

    >>> iou(np.array([[10, 19]]), np.array([[10, 19], [15, 24], [20, 29]])).round(2)
    array([[1.  , 0.33, 0.  ]])
    """
    first, second = np.asarray(first, float).reshape(-1, 2), np.asarray(second, float).reshape(-1, 2)
    low = np.maximum(first[:, None, 0], second[None, :, 0])
    high = np.minimum(first[:, None, 1], second[None, :, 1])
    common = np.clip(high - low + 1, 0, None)
    lengths = [interval[:, 1] - interval[:, 0] + 1 for interval in (first, second)]
    return common / (lengths[0][:, None] + lengths[1][None, :] - common)


def match(truth: pd.DataFrame, spotted: pd.DataFrame, threshold: float = IOU) -> pd.DataFrame:
    """Match annotated and spotted intervals: one row per pair, or interval without a partner.

    Parameters
    ----------
    truth, spotted : DataFrame
        Columns `dataset, subject, clip, onset, offset, kind`, and optionally `apex`, `label` (truth) and `prediction`
        (spotted).
    threshold : float
        Minimum intersection over union, above 0.

    Returns
    -------
    DataFrame
        `dataset, subject, clip, kind, outcome` (`TP`, `FP` or `FN`), `onset, apex, offset, label` of the truth,
        `spotted_onset, spotted_apex, spotted_offset, prediction` and `iou`; missing values if there is no partner.

    Raises
    ------
    ValueError
        If the threshold is not above 0 and at most 1.
    """
    if not 0 < threshold <= 1:
        raise ValueError(f"the threshold of the overlap is {threshold:g}; expected more than 0, at most 1")
    rows: list[dict[str, Any]] = []
    key = [*VIDEO, "kind"]
    groups = {name: dict(list(table.groupby(key))) for name, table in (("truth", truth), ("spotted", spotted))}
    for video in sorted({*groups["truth"], *groups["spotted"]}):
        annotated = groups["truth"].get(video, truth.iloc[:0]).sort_values("onset")
        found = groups["spotted"].get(video, spotted.iloc[:0]).sort_values("onset")
        overlap = iou(_ends(annotated), _ends(found))
        # As many pairs above the threshold as possible; among equally many, the largest overlap.
        gain = np.where(overlap >= threshold - 1e-9, 1 + overlap / (1 + len(annotated) + len(found)), 0.0)
        pairs = {int(i): int(j) for i, j in zip(*linear_sum_assignment(gain, maximize=True)) if gain[i, j] > 0}
        common = dict(zip(key, video))
        annotated_rows, found_rows = annotated.to_dict("records"), found.to_dict("records")
        for i, row in enumerate(annotated_rows):
            pair = {"outcome": "TP" if i in pairs else "FN", **_of_truth(row)}
            if i in pairs:
                pair |= {**_of_spotted(found_rows[pairs[i]]), "iou": round(float(overlap[i, pairs[i]]), 4)}
            rows.append({**common, **pair})
        rows += [
            {**common, "outcome": "FP", **_of_spotted(row)}
            for j, row in enumerate(found_rows)
            if j not in set(pairs.values())
        ]
    columns = [
        *key, "outcome", "onset", "apex", "offset", "label", "spotted_onset", "spotted_apex", "spotted_offset",
        "prediction", "iou",
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=columns)
    frames = [column for column in columns if column.removeprefix("spotted_") in ("onset", "apex", "offset")]
    return table.astype(dict.fromkeys(frames, "Int64"))


def _ends(table: pd.DataFrame) -> np.ndarray:
    return table[["onset", "offset"]].to_numpy(float)


def _of_truth(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row.get(name) for name in ("onset", "apex", "offset", "label")}


def _of_spotted(row: dict[str, Any]) -> dict[str, Any]:
    frames = {f"spotted_{name}": row.get(name) for name in ("onset", "apex", "offset")}
    return {**frames, "prediction": row.get("prediction")}


def score(matches: pd.DataFrame, kinds: Sequence[str] = KINDS) -> pd.DataFrame:
    """Precision, recall and F1 of each kind and overall, from the rows of :func:`match`.

    Returns
    -------
    DataFrame
        `kind, annotated, spotted, tp, fp, fn, precision, recall, f1`. A score with denominator 0 is 0.
    """
    rows = []
    for kind in [*kinds, "overall"]:
        own = matches[matches["kind"].isin(list(kinds) if kind == "overall" else [kind])]
        tp, fp, fn = (int((own["outcome"] == outcome).sum()) for outcome in ("TP", "FP", "FN"))
        rows.append(
            {"kind": kind, "annotated": tp + fn, "spotted": tp + fp, "tp": tp, "fp": fp, "fn": fn,
             "precision": _share(tp, tp + fp), "recall": _share(tp, tp + fn), "f1": _share(2 * tp, 2 * tp + fp + fn)}
        )  # fmt: skip
    return pd.DataFrame(rows)


def score_recognition(matches: pd.DataFrame, classes: Sequence[str]) -> dict[str, float]:
    """Scores of the emotions of the true positives: `n, f1, uf1, uar`.

    `f1` is the harmonic mean of the mean precision and the mean recall over the classes, as in the organizers' program
    for the STRS (Liong, See and Chan, "Spot-then-recognize", Signal Processing: Image Communication 110, 2023). The
    precision of a class without predictions and the recall of a class without clips count as 0. `uf1` is the mean F1 of
    the classes.
    """
    pairs = matches[(matches["outcome"] == "TP") & matches["label"].isin(list(classes))]
    truth, predicted = (pairs[column].to_numpy(dtype=object) for column in ("label", "prediction"))
    precision, recall, f1 = [], [], []
    for name in classes:
        tp = int(((truth == name) & (predicted == name)).sum())
        precision.append(_share(tp, int((predicted == name).sum())))
        recall.append(_share(tp, int((truth == name).sum())))
        f1.append(_share(2 * tp, int((predicted == name).sum() + (truth == name).sum())))
    p, r = float(np.mean(precision)), float(np.mean(recall))
    return {"n": len(pairs), "f1": _share(2 * p * r, p + r), "uf1": float(np.mean(f1)), "uar": r}


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
