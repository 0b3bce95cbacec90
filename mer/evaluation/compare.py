"""Compares two results on the same clips and folds: could the difference be due to chance?

Both tests treat people, not clips, as independent, because the clips of one person resemble each other. The interval is
a paired bootstrap: in each resample, both results are scored on the same people, drawn with replacement. The p-value is
a permutation test: if both are equally good, exchanging their predictions for any person does not change the
distribution of the scores (Noreen, "Computer-Intensive Methods for Testing Hypotheses", 1989).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mer.datasets.samples import KEY
from mer.datasets.tables import restored, write_csv
from mer.evaluation.au_result import SCORES as UNIT_SCORES
from mer.evaluation.au_result import count_units
from mer.evaluation.metrics import RESAMPLES, SCORES, SEED, count
from mer.evaluation.protocols.folds import people_of
from mer.evaluation.result import Result
from mer.utils.atomic_files import write_json, write_whole

PERMUTATIONS = 10_000
SHOWN = 3  # clips named in a message
LABELS = {"uf1": "UF1", "uar": "UAR", "accuracy": "accuracy", "f1": "F1", "macro_f1": "macro F1"}


@dataclass(frozen=True, eq=False)
class Outcome:
    """One of the two results."""

    name: str
    predictions: pd.DataFrame
    classes: tuple[str, ...]
    hashes: dict[str, str]


@dataclass(frozen=True, eq=False, repr=False)
class Comparison:
    """The result of :func:`compare`.

    Attributes
    ----------
    a, b : Outcome
    rows : DataFrame
        One row per score and part (`all`, or a database): `part, score, a, b, difference, low, high, p`. The difference
        is `a - b`, `low` and `high` are the ends of its 95 % interval, and `p` is two-sided. The last three are blank
        for one person.
    """

    a: Outcome
    b: Outcome
    rows: pd.DataFrame

    @cached_property
    def record(self) -> dict[str, Any]:
        """Everything as plain values, with the hashes of both results."""
        rows = self.rows.astype(object).where(self.rows.notna(), None)
        sides = {key: {"name": side.name, "sha256": side.hashes} for key, side in (("a", self.a), ("b", self.b))}
        return {
            **sides,
            "verdict": str(self),
            "permutations": PERMUTATIONS,
            "resamples": RESAMPLES,
            "rows": rows.to_dict("records"),
        }

    def save(self, path: str | Path) -> None:
        """Write the rows as `.csv`, or everything as `.json` or `.html`."""
        path = Path(path)
        if path.suffix == ".json":
            write_json(path, self.record)
        elif path.suffix == ".html":
            from mer.report import render_comparison

            with write_whole(path) as file:
                file.write(render_comparison(self.record))
        elif path.suffix == ".csv":
            hashes = {f"{key}_flows_sha256": side.hashes.get("flows", "")[:16] for key, side in
                      (("a", self.a), ("b", self.b))}  # fmt: skip
            with write_whole(path) as file:
                named = {"name_a": self.a.name, "name_b": self.b.name, **hashes}
                write_csv(self.rows.assign(**named), file)
        else:
            raise ValueError(f"{path}: the name must end in .csv, .json or .html")

    def __str__(self) -> str:
        """The verdict on the first score, in one sentence."""
        row = self.rows.iloc[0]
        text = f"{LABELS[row['score']]} {row['a']:.3f} and {row['b']:.3f}, difference {row['difference']:+.3f}"
        if pd.isna(row["low"]):
            return f"{text}; one person is too few for an interval."
        text += f" (95 % interval {row['low']:+.3f} to {row['high']:+.3f}, p = {row['p']:.2g})"
        # The bootstrap interval is too narrow for a handful of people; the permutation test is exact for few, too.
        if row["low"] <= 0 <= row["high"] or row["p"] > 0.05:
            return f"{text}: neither is shown to be better."
        return f"{text}: {'A' if row['difference'] > 0 else 'B'} is better on these people."

    __repr__ = __str__


def compare(a: str | Path | Result, b: str | Path | Result) -> Comparison:
    """Compare two results of :func:`mer.evaluate`, or the folders that they were saved in.

    Raises
    ------
    FileNotFoundError
        If a folder holds no result.
    ValueError
        If the two were not tested on the same clips with the same classes in the same folds; the message names the
        difference.
    """
    first, second = _outcome(a), _outcome(b)
    _check_same(first, second)
    rows = []
    scores: Mapping[str, Callable[[np.ndarray], np.ndarray]] = SCORES
    if "unit" in first.predictions:
        scores = {name: _mean_of(score) for name, score in UNIT_SCORES.items()}
    databases = sorted(set(first.predictions["dataset"]))
    for part in ["all", *(databases if len(databases) > 1 else [])]:
        counts = [_counts(side, None if part == "all" else part) for side in (first, second)]
        rows += [{"part": part, **row} for row in _paired(*_same_seeds(*counts), scores)]
    return Comparison(first, second, pd.DataFrame(rows))


def _mean_of(score: Callable[[np.ndarray], np.ndarray]) -> Callable[[np.ndarray], np.ndarray]:
    """The mean of a score over the action units."""
    return lambda counts: score(counts).mean(-1)


def _outcome(result: str | Path | Result) -> Outcome:
    if isinstance(result, Result):
        return Outcome(result.settings["model"], result.predictions, result.classes, result.hashes)
    folder = Path(result)
    try:
        record = json.loads((folder / "scores.json").read_text(encoding="utf-8"))
        texts = dict.fromkeys(["dataset", "subject", "clip", "fold", "label", "prediction"], str)
        predictions = pd.read_csv(
            folder / "predictions.csv", dtype=texts, keep_default_na=False, na_values={"onset": ""}
        )
        predictions = restored(predictions)
        predictions["onset"] = predictions["onset"].astype("Int64")
        return Outcome(str(folder), predictions, tuple(record["class_names"]), record["sha256"])
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"{folder} holds no result ({error.filename}); mer evaluate --report writes one"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{folder} holds a damaged result ({error})") from error


def _check_same(a: Outcome, b: Outcome) -> None:
    """`ValueError` if the two differ in clips, labels, classes or folds."""
    if ("unit" in a.predictions) != ("unit" in b.predictions):
        raise ValueError("only one of the results has action units; evaluate both under one protocol")
    if set(a.classes) != set(b.classes):
        raise ValueError(f"the classes differ: {', '.join(a.classes)} in A, {', '.join(b.classes)} in B")
    first, second = (_keyed(side.predictions) for side in (a, b))
    only = {"A": first.index.difference(second.index), "B": second.index.difference(first.index)}
    if any(map(len, only.values())):
        parts = [
            f"{len(keys)} clips are only in {side}, such as {_some(keys)}" for side, keys in only.items() if len(keys)
        ]
        raise ValueError(f"the clips differ: {'; '.join(parts)}; evaluate both under one protocol")
    for column, what in (("label", "classes of the clips"), ("fold", "folds")):
        different = first.index[first[column] != second.loc[first.index, column]]
        if len(different):
            a_value, b_value = (table.loc[different[0], column] for table in (first, second))
            raise ValueError(
                f"the {what} differ for {len(different)} clips, such as {_some(different[:1])}: {a_value!r} in A, "
                f"{b_value!r} in B; evaluate both under one protocol"
            )
    if a.hashes.get("samples") != b.hashes.get("samples"):
        raise ValueError("the training clips differ between A and B; evaluate both under one protocol")


def _keyed(predictions: pd.DataFrame) -> pd.DataFrame:
    """Label and fold of each clip, or of each clip and action unit; all seeds have the same."""
    names = [*KEY, *(["unit"] if "unit" in predictions else [])]
    keys = predictions[names].assign(onset=predictions["onset"].astype(str).replace("<NA>", ""))
    table = predictions[["label", "fold"]].set_index(pd.MultiIndex.from_frame(keys))
    return table[~table.index.duplicated()]


def _some(keys: pd.Index) -> str:
    return ", ".join("/".join(map(str, key[:3])) for key in keys[:SHOWN])


def _counts(side: Outcome, dataset: str | None) -> np.ndarray:
    """Counts `(people, seeds, C, C + 1)`, or `(people, seeds, units, 2, 3)` of action units, people sorted by name."""
    rows = side.predictions if dataset is None else side.predictions[side.predictions["dataset"] == dataset]
    classes = sorted(side.classes)
    if "unit" in rows:
        return count_units(rows, classes)
    _, person = np.unique(people_of(rows).astype(str), return_inverse=True)
    return count(rows["label"].tolist(), rows["prediction"].tolist(), classes, person, rows["seed"].to_numpy())


def _same_seeds(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both with the same number of seeds, each repeated equally often, which leaves the means over seeds unchanged.

    A deterministic model has seed 0 only; in results of earlier releases, all seeds have the same rows.
    """
    seeds = np.arange(np.lcm(a.shape[1], b.shape[1]))
    return a[:, seeds % a.shape[1]], b[:, seeds % b.shape[1]]


def _paired(
    a: np.ndarray, b: np.ndarray, scores: Mapping[str, Callable[[np.ndarray], np.ndarray]]
) -> list[dict[str, Any]]:
    """One row per score, from the counts of both results."""
    people, random = len(a), np.random.default_rng(SEED)
    a, b = a.astype(float), b.astype(float)
    pooled = {name: (score(a.sum(0)).mean(), score(b.sum(0)).mean()) for name, score in scores.items()}
    if people < 2:
        blank = dict.fromkeys(("low", "high", "p"), np.nan)
        return [{"score": name, "a": x, "b": y, "difference": x - y, **blank} for name, (x, y) in pooled.items()]
    draws = random.multinomial(people, np.full(people, 1 / people), size=RESAMPLES).astype(float)
    drawn = [np.tensordot(draws, side, axes=1) for side in (a, b)]
    exchange = random.integers(0, 2, (PERMUTATIONS, people)).astype(float)
    moved = np.tensordot(exchange, b - a, axes=1)
    swapped = a.sum(0) + moved, b.sum(0) - moved
    rows = []
    for name, score in scores.items():
        x, y = pooled[name]
        low, high = np.percentile(score(drawn[0]).mean(-1) - score(drawn[1]).mean(-1), [2.5, 97.5])
        chance = score(swapped[0]).mean(-1) - score(swapped[1]).mean(-1)
        as_far = (np.abs(chance) >= abs(x - y) - 1e-12).sum()
        p = (1 + as_far) / (1 + PERMUTATIONS)
        rows.append({"score": name, "a": x, "b": y, "difference": x - y, "low": low, "high": high, "p": p})
    return rows
