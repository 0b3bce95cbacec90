"""Scores of pooled predictions, and their intervals from a bootstrap over subjects.

All scores are computed from an array of counts `(..., C, C + 1)`: rows are the truth, columns the prediction, and the
last column counts the clips without a prediction because their flow failed. These count as wrong. A class that is
absent from the truth scores 0 and is not skipped, so that a mean over classes always divides by the number of classes
of the protocol. Varanka et al., "Data leakage and evaluation issues in micro-expression analysis", IEEE Transactions on
Affective Computing 2024, show how other conventions change the scores.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

RESAMPLES = 1000
SEED = 0  # of the bootstrap, so that the same predictions always get the same interval


def count(truth: Sequence[str], prediction: Sequence[str], classes: Sequence[str], *by: np.ndarray) -> np.ndarray:
    """Counts `(C, C + 1)`: truth by row, prediction by column, an empty prediction in the last column.

    Each further argument is an array with an index per clip, such as that of its person, and adds a leading axis:
    `(..., C, C + 1)`. `ValueError` for a name that is not one of the classes.

    >>> count(["a", "a", "b"], ["a", "b", ""], ["a", "b"])
    array([[1, 1, 0],
           [0, 0, 1]])
    """
    column = {name: i for i, name in enumerate([*classes, ""])}
    wrong = {*truth, *prediction} - set(column) or ({""} & set(truth))
    if wrong:
        raise ValueError(f"{sorted(map(str, wrong))[0]!r} is not one of the classes {', '.join(classes)}")
    shape = [int(max(codes, default=-1)) + 1 for codes in by]
    counts = np.zeros((*shape, len(classes), len(classes) + 1), dtype=np.int64)
    names = [np.array([column[name] for name in names], dtype=np.int64) for names in (truth, prediction)]
    np.add.at(counts, (*by, *names), 1)
    return counts


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """`numerator / denominator`, or 0 if the denominator is 0."""
    return np.divide(numerator, denominator, out=np.zeros(np.shape(numerator)), where=denominator > 0)


def _hits(counts: np.ndarray) -> np.ndarray:
    return np.diagonal(counts, axis1=-2, axis2=-1).astype(float)


def f1_by_class(counts: np.ndarray) -> np.ndarray:
    """`F1_c = 2 TP_c / (2 TP_c + FP_c + FN_c)`, shape `(..., C)` from counts `(..., C, C + 1)`."""
    predicted = counts[..., :-1].sum(-2)  # TP + FP
    return _ratio(2 * _hits(counts), counts.sum(-1) + predicted)


def recall_by_class(counts: np.ndarray) -> np.ndarray:
    """`TP_c / N_c`, shape `(..., C)` from counts `(..., C, C + 1)`."""
    return _ratio(_hits(counts), counts.sum(-1))


def uf1(counts: np.ndarray) -> np.ndarray:
    """Unweighted F1, the mean of F1 over the classes (the main score of MEGC2019); shape `(...)`."""
    return f1_by_class(counts).mean(-1)


def uar(counts: np.ndarray) -> np.ndarray:
    """Unweighted average recall, the mean recall over the classes; shape `(...)`."""
    return recall_by_class(counts).mean(-1)


def accuracy(counts: np.ndarray) -> np.ndarray:
    """Share of all clips that are predicted correctly; shape `(...)`."""
    return _ratio(_hits(counts).sum(-1), counts.sum((-1, -2)))


SCORES = {"uf1": uf1, "uar": uar, "accuracy": accuracy}


def bootstrap(counts: np.ndarray, resamples: int = RESAMPLES, level: float = 0.95) -> dict[str, list[float] | None]:
    """Percentile intervals of all scores, from people drawn with replacement.

    People are resampled rather than clips, because the clips of one person resemble each other.

    Parameters
    ----------
    counts : (subjects, seeds, C, C + 1)
        The counts of each person with each seed. The score of a resample is the mean over the seeds.
    resamples : int
        Number of resamples, drawn from a fixed seed.
    level : float
        Share of the resampled scores that the interval contains.

    Returns
    -------
    dict
        Score name -> `[low, high]`, or None if there is only one person.
    """
    subjects = len(counts)
    if subjects < 2:
        return dict.fromkeys(SCORES)
    draws = np.random.default_rng(SEED).multinomial(subjects, np.full(subjects, 1 / subjects), size=resamples)
    resampled = np.tensordot(draws.astype(float), counts, axes=1)  # (resamples, seeds, C, C + 1)
    tails = [50 * (1 - level), 50 * (1 + level)]
    return {name: np.percentile(score(resampled).mean(-1), tails).tolist() for name, score in SCORES.items()}


def summarize(counts: np.ndarray) -> dict:
    """All scores of a set of clips, as plain numbers.

    Parameters
    ----------
    counts : (subjects, seeds, C, C + 1)

    Returns
    -------
    dict
        `uf1`, `uar` and `accuracy`: means over the seeds; with `_interval`: 95 % intervals over subjects; with `_sd`:
        the standard deviation over the seeds, None for a single one. `n` clips, `n_subjects` people, `n_failed` clips
        without a prediction.
    """
    pooled = counts.sum(0)  # (seeds, C, C + 1)
    intervals = bootstrap(counts)
    out: dict = {}
    for name, score in SCORES.items():
        values = score(pooled)
        out[name] = float(values.mean())
        out[f"{name}_interval"] = intervals[name]
        out[f"{name}_sd"] = float(values.std(ddof=1)) if len(values) > 1 else None
    out["n"] = int(pooled[0].sum())
    out["n_subjects"] = len(counts)
    out["n_failed"] = int(pooled[0, :, -1].sum())
    return out
