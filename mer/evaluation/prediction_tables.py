"""From the answers of folds to tables: predictions, and the settings that inner evaluations chose."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mer.datasets.samples import KEY
from mer.evaluation.fit_fold import Answer
from mer.evaluation.protocols.folds import Fold


def prediction_table(
    samples: pd.DataFrame,
    truth: np.ndarray,
    folds: list[Fold],
    answers: list[Answer],
    classes: tuple[str, ...],
    unit: int | None = None,
) -> pd.DataFrame:
    """One row per tested sample and seed, as in :class:`mer.evaluation.result.Result`.

    Samples without an answer have an empty prediction. `unit` becomes the first column.
    """
    fold_of = np.full(len(samples), "", dtype=object)
    for fold, _, test in folds:
        fold_of[test] = fold
    watched = any(answer.epochs is not None for answer in answers)
    tables = []
    for seed in sorted({answer.task.seed for answer in answers}):
        prediction = np.full(len(samples), "", dtype=object)
        scores = np.full((len(samples), len(classes)), np.nan)
        oracle = pd.DataFrame({"oracle_epoch": 0, "oracle_prediction": ""}, index=samples.index)
        for answer in (answer for answer in answers if answer.task.seed == seed):
            rows = answer.task.test
            prediction[rows], scores[rows] = answer.prediction, answer.scores
            if answer.epochs is not None:
                correct = (answer.epochs == truth[rows]).sum(1)
                best = len(correct) - 1 - int(correct[::-1].argmax())  # the last of equals
                oracle.loc[rows, ["oracle_epoch", "oracle_prediction"]] = np.column_stack(
                    [np.full(len(rows), best + 1, dtype=object), answer.epochs[best]]
                )
        table = samples[KEY].assign(fold=fold_of, seed=seed, label=truth, prediction=prediction)
        table = table.join(oracle) if watched else table
        table = table.join(pd.DataFrame(scores, columns=[f"score_{name}" for name in classes]))
        tables.append(table[fold_of != ""])
    return _with_unit(pd.concat(tables, ignore_index=True), unit)


def chosen_table(answers: list[Answer], names: list[str], unit: int | None = None) -> pd.DataFrame:
    """One row per fold and seed with the model or settings that the inner evaluation chose; empty without one."""
    rows = [
        {"fold": answer.task.fold, "seed": answer.task.seed}
        | ({"model": names[answer.chosen.model]} if len(names) > 1 else {})
        | answer.chosen.settings
        for answer in answers
        if answer.chosen is not None
    ]
    return _with_unit(pd.DataFrame(rows, columns=None if rows else ["fold", "seed"]), unit)


def _with_unit(table: pd.DataFrame, unit: int | None) -> pd.DataFrame:
    if unit is not None:
        table.insert(0, "unit", unit)
    return table
