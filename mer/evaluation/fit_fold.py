"""One fold: fits a new classifier to the training people and predicts the classes of the test people.

A classifier gets copies of the training rows and nothing else. Two options add to that:

- An inner evaluation chooses one of several models, or settings from a grid. Its folds are by person and contain the
  training people only (nested cross-validation: Varma and Simon, "Bias in error estimation when using cross-validation
  for model selection", BMC Bioinformatics 2006).
- The predictions after each epoch of a network are recorded, to show the effect of picking the best epoch on the test
  people. They are not part of the result.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from sklearn.model_selection import GroupKFold, ParameterGrid
from sklearn.pipeline import Pipeline

from mer.evaluation.metrics import count, uf1
from mer.models import features_of, new_model
from mer.utils.processes import in_order, run_jobs

INNER_FOLDS = 5  # of the training people
_NAMES = (
    "fit(X, y) receives names of classes and predict(X) returns them; if the classifier needs numbers, encode them in "
    "fit and decode them in predict, for example with sklearn.preprocessing.LabelEncoder"
)


@dataclass(frozen=True, eq=False)
class Data:
    """What all folds share: features `(n, d)` for each model, true classes `(n,)`, people `(n,)`, and class names."""

    rows: Sequence[np.ndarray]
    truth: np.ndarray
    people: np.ndarray
    classes: tuple[str, ...]


class Candidate(NamedTuple):
    """One choice of the inner evaluation: the number of a model, and settings for it."""

    model: int
    settings: dict[str, Any]


@dataclass(frozen=True, eq=False)
class Task:
    """One fold with one seed: the rows to train on and the rows to test."""

    seed: int
    fold: str
    train: np.ndarray
    test: np.ndarray


class Answer(NamedTuple):
    """The predicted classes `(n,)` and scores `(n, C)` of the test rows of a task.

    `chosen` is the candidate that an inner evaluation chose, and `epochs` the predictions after each epoch
    `(epochs, n)`; both are None unless requested.
    """

    task: Task
    prediction: np.ndarray
    scores: np.ndarray
    chosen: Candidate | None = None
    epochs: np.ndarray | None = None


def full_grid(model: Any, grid: Mapping[str, Sequence[Any]]) -> dict[str, list[Any]]:
    """The grid with full parameter names: `C` becomes `classifier__C` if no other parameter ends like this.

    `ValueError` for an unknown or ambiguous parameter, and for one of the features, which all folds share.
    """
    estimator = new_model(model)
    parameters = list(estimator.get_params()) if hasattr(estimator, "get_params") else []
    feature_step = estimator.steps[0][0] if features_of(estimator) is not None else None
    full: dict[str, list[Any]] = {}
    for name, values in grid.items():
        matches = [name] if name in parameters else [each for each in parameters if each.endswith(f"__{name}")]
        if len(matches) != 1:
            what = "is ambiguous" if matches else "is not a parameter of the model"
            raise ValueError(f"grid: {name!r} {what}; choose from {', '.join(matches or parameters) or 'none'}")
        if not len(values):
            raise ValueError(f"grid: {name!r} has no values")
        if matches[0].split("__")[0] == feature_step:
            raise ValueError(f"grid: {matches[0]} belongs to the features, which all folds share; choose another one")
        full[matches[0]] = list(values)
    return full


def can_watch(model: Any) -> bool:
    """Whether the model reports the end of each epoch: its `fit` has a parameter `watch`."""
    estimator = new_model(model)
    last = estimator.steps[-1][1] if isinstance(estimator, Pipeline) else estimator
    return "watch" in inspect.signature(last.fit).parameters


def candidates_of(models: Sequence[Any], grid: Mapping[str, Sequence[Any]] | None) -> list[Candidate]:
    """All models, or all settings of a grid for one model; `ValueError` for a grid with several models."""
    if not grid:
        return [Candidate(i, {}) for i in range(len(models))]
    if len(models) > 1:
        raise ValueError("grid: give a grid for one model, or several models without a grid")
    return [Candidate(0, settings) for settings in ParameterGrid(dict(grid))]


def answers(
    tasks: list[Task],
    data: Data,
    models: Sequence[Any],
    candidates: list[Candidate],
    workers: int,
    watch: bool,
    cluster: str | None = None,
) -> Iterator[Answer]:
    """The answers of all tasks, in order, computed in this process, in `workers` processes or on a cluster.

    Each task runs on one thread, so that floating-point sums, and thus the scores, are the same in all cases.
    """
    function = partial(on_one_thread, partial(answer, data=data, models=models, candidates=candidates, watch=watch))
    yield from in_order(run_jobs(function, tasks, workers, cluster=cluster))


def on_one_thread(function: Callable[[Any], Any], job: Any) -> Any:
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):
        return function(job)


def answer(task: Task, data: Data, models: Sequence[Any], candidates: list[Candidate], watch: bool = False) -> Answer:
    """Fit a new estimator to the training rows of one fold, and predict its test rows.

    `ValueError` if the estimator predicts anything else than one class of the protocol per row.
    """
    y = data.truth[task.train]  # indexing with an array copies
    present = np.unique(y)
    if len(present) == 1:  # most classifiers refuse to fit a single class
        scores = np.full((len(task.test), len(data.classes)), np.nan)
        scores[:, data.classes.index(present[0])] = 1
        prediction = np.repeat(present, len(task.test))
        return Answer(task, prediction, scores, None, prediction[None] if watch else None)
    chosen = candidates[0] if len(candidates) == 1 else _choose(task, data, models, candidates)
    estimator = _estimator(models, chosen, task.seed)
    X = data.rows[chosen.model][task.train]
    epochs = _fit_watched(estimator, X, y, data.rows[chosen.model][task.test]) if watch else None
    if not watch:
        _fit(estimator, X, y)
    test = data.rows[chosen.model][task.test]
    prediction = _class_names(estimator.predict(test.copy()), len(test), data.classes)
    scores = np.full((len(task.test), len(data.classes)), np.nan)
    values = _score(estimator, test)
    if values is not None and set(map(str, estimator.classes_)) <= set(data.classes):
        scores[:, [data.classes.index(str(name)) for name in estimator.classes_]] = values
    return Answer(task, prediction, scores, chosen if len(candidates) > 1 else None, epochs)


def _fit(estimator: Any, X: np.ndarray, y: np.ndarray) -> None:
    try:
        estimator.fit(X, y)
    except (TypeError, ValueError) as error:
        if re.search(r"class|label|string|str_|float|numeric|dtype|\by\b", str(error)):
            raise ValueError(f"the classifier cannot be fitted ({error}). {_NAMES}") from error
        raise


def _class_names(prediction: Any, n: int, classes: Sequence[str]) -> np.ndarray:
    """The predicted names of classes `(n,)`; a column `(n, 1)`, as CatBoost returns, is flattened."""
    array = np.asarray(prediction)
    if array.shape == (n, 1):
        array = array[:, 0]
    if array.shape != (n,):
        raise ValueError(f"predict returned an array of shape {array.shape} for {n} clips; expected ({n},)")
    names = np.array([item.decode() if isinstance(item, bytes) else str(item) for item in array.tolist()], dtype=str)
    unknown = sorted(set(names) - set(classes))
    if unknown:
        shown, hint = ", ".join(unknown[:3]), f" {_NAMES}" if array.dtype.kind in "biuf" else ""
        raise ValueError(f"predict returned {shown}, but the classes are {', '.join(classes)}.{hint}")
    return names


def _estimator(models: Sequence[Any], candidate: Candidate, seed: int) -> Any:
    """A new estimator of the candidate, without the features, which are already computed."""
    estimator = new_model(models[candidate.model], seed)
    if features_of(estimator) is not None:
        estimator = estimator[1:]
    return estimator.set_params(**candidate.settings) if candidate.settings else estimator


def _choose(task: Task, data: Data, models: Sequence[Any], candidates: list[Candidate]) -> Candidate:
    """The candidate with the highest UF1, pooled over inner folds of the training people; the first of equals."""
    y, people = data.truth[task.train], data.people[task.train]
    folds = min(INNER_FOLDS, len(set(people)))
    if folds < 2:
        return candidates[0]
    inner = list(GroupKFold(folds).split(y, groups=people))
    scores = []
    for candidate in candidates:
        X = data.rows[candidate.model][task.train]
        prediction = np.empty(len(y), dtype=object)
        for train, test in inner:
            present = np.unique(y[train])
            if len(present) == 1:
                prediction[test] = present[0]
            else:
                estimator = _estimator(models, candidate, task.seed)
                _fit(estimator, X[train], y[train])
                prediction[test] = _class_names(estimator.predict(X[test]), len(test), data.classes)
        scores.append(float(uf1(count(y.tolist(), prediction.tolist(), data.classes))))
    return candidates[int(np.argmax(scores))]


def _fit_watched(estimator: Any, X: np.ndarray, y: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Fit, and return the predictions for the test rows after each epoch `(epochs, n)`.

    The callback does not affect training: it gets the network and returns nothing.
    """
    predictions: list[np.ndarray] = []

    def watch(network: Any, epoch: int) -> None:
        rows = test.copy()
        if isinstance(estimator, Pipeline) and len(estimator.steps) > 1:
            rows = estimator[:-1].transform(rows)
        predictions.append(np.asarray(network.predict(rows)).astype(str))

    name = f"{estimator.steps[-1][0]}__watch" if isinstance(estimator, Pipeline) else "watch"
    estimator.fit(X, y, **{name: watch})
    return np.stack(predictions)


def _score(estimator: Any, X: np.ndarray) -> np.ndarray | None:
    """Probabilities or decision values `(n, len(classes_))`; None if the classifier has neither."""
    method = next((name for name in ("predict_proba", "decision_function") if hasattr(estimator, name)), None)
    if method is None or not hasattr(estimator, "classes_"):
        return None
    values = np.asarray(getattr(estimator, method)(X), dtype=float)
    if values.ndim == 1:  # decision values of two classes are those of the second
        values = np.column_stack([-values, values])
    return values if values.shape == (len(X), len(estimator.classes_)) else None
