"""One fold: a new classifier is fitted on its training people, and answers for its test people.

What a classifier is given to fit are copies of the training rows and nothing else. Two things may be done beside:

- One of several models, or settings from a grid, are chosen by an inner evaluation, whose folds are by person and made
  of the training people alone (nested cross-validation: Varma and Simon, "Bias in error estimation when using
  cross-validation for model selection", BMC Bioinformatics 2006).
- The answers of each epoch of a network are kept, to show what picking the best one on the test people would have
  given. They are no part of the honest answers.
"""

from __future__ import annotations

import inspect
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

INNER_FOLDS = 5  # people who train are shared out over so many inner folds


@dataclass(frozen=True, eq=False)
class Data:
    """What all folds share: features `(n, d)` for each model, classes `(n,)`, people `(n,)`, the protocol's classes."""

    rows: Sequence[np.ndarray]
    truth: np.ndarray
    people: np.ndarray
    classes: tuple[str, ...]


class Candidate(NamedTuple):
    """What an inner evaluation may choose: one of the models, by its number, and settings of it."""

    model: int
    settings: dict[str, Any]


@dataclass(frozen=True, eq=False)
class Task:
    """One fold under one seed: rows that train, rows that are tested."""

    seed: int
    fold: str
    train: np.ndarray
    test: np.ndarray


class Answer(NamedTuple):
    """What came of a task: a class for each test row `(n,)`, its scores `(n, C)`, the candidate that the inner
    evaluation chose, and the answers of each epoch `(epochs, n)`; the last two where they were asked for.
    """

    task: Task
    prediction: np.ndarray
    scores: np.ndarray
    chosen: Candidate | None = None
    epochs: np.ndarray | None = None


def full_grid(model: Any, grid: Mapping[str, Sequence[Any]]) -> dict[str, list[Any]]:
    """The grid with the full names of its parameters: `C` may stand for `classifier__C` where there is only one.

    `ValueError` for a parameter that the model does not have, and for one of the features, which are computed ahead.
    """
    estimator = new_model(model)
    known = list(estimator.get_params()) if hasattr(estimator, "get_params") else []
    ahead = estimator.steps[0][0] if features_of(estimator) is not None else None
    full: dict[str, list[Any]] = {}
    for name, values in grid.items():
        found = [name] if name in known else [one for one in known if one.endswith(f"__{name}")]
        if len(found) != 1 or not len(values):
            raise ValueError(f"grid: the model has no one parameter {name!r}; it has {', '.join(known) or 'none'}")
        if found[0].split("__")[0] == ahead:
            raise ValueError(f"grid: {found[0]} is of the features, which are the same for all; choose C or the like")
        full[found[0]] = list(values)
    return full


def can_watch(model: Any) -> bool:
    """Whether the model tells the end of each epoch: whether its `fit` has the parameter `watch`."""
    estimator = new_model(model)
    last = estimator.steps[-1][1] if isinstance(estimator, Pipeline) else estimator
    return "watch" in inspect.signature(last.fit).parameters


def candidates_of(models: Sequence[Any], grid: Mapping[str, Sequence[Any]] | None) -> list[Candidate]:
    """Every model, or every combination of the grid for the only model; `ValueError` for a grid of several."""
    if not grid:
        return [Candidate(i, {}) for i in range(len(models))]
    if len(models) > 1:
        raise ValueError("grid: choose among settings of one model, or among models")
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
    """The answers of every fold and seed, in order. One thread each, in one process or in several, here or on a
    cluster: sums are taken in the same order, so the scores are the same.
    """
    function = partial(on_one_thread, partial(answer, data=data, models=models, candidates=candidates, watch=watch))
    yield from in_order(run_jobs(function, tasks, workers, cluster=cluster))


def on_one_thread(function: Callable[[Any], Any], job: Any) -> Any:
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):
        return function(job)


def answer(task: Task, data: Data, models: Sequence[Any], candidates: list[Candidate], watch: bool = False) -> Answer:
    """Fit on the training rows of one fold, and answer for its test rows."""
    return fit_and_answer(task, data, models, candidates, watch)[0]


def fit_and_answer(
    task: Task, data: Data, models: Sequence[Any], candidates: list[Candidate], watch: bool = False
) -> tuple[Answer, Any]:
    """The answer, and the estimator that gave it; None where there was nothing to fit."""
    y = data.truth[task.train]  # indexing with an array copies
    known = np.unique(y)
    if len(known) == 1:  # nothing to tell apart, which most classifiers refuse to fit
        scores = np.full((len(task.test), len(data.classes)), np.nan)
        scores[:, data.classes.index(known[0])] = 1
        prediction = np.repeat(known, len(task.test))
        return Answer(task, prediction, scores, None, prediction[None] if watch else None), None
    chosen = candidates[0] if len(candidates) == 1 else _choose(task, data, models, candidates)
    estimator = _estimator(models, chosen, task.seed)
    X = data.rows[chosen.model][task.train]
    epochs = _fit_watched(estimator, X, y, data.rows[chosen.model][task.test]) if watch else None
    if not watch:
        estimator.fit(X, y)
    prediction, scores = ask(estimator, task, data, chosen)
    return Answer(task, prediction, scores, chosen if len(candidates) > 1 else None, epochs), estimator


def ask(estimator: Any, task: Task, data: Data, chosen: Candidate) -> tuple[np.ndarray, np.ndarray]:
    """What a fitted estimator says of the test rows: a class for each `(n,)`, and scores `(n, C)`."""
    test = data.rows[chosen.model][task.test]
    prediction = np.asarray(estimator.predict(test.copy())).astype(str)
    if prediction.shape != task.test.shape or not set(prediction) <= set(data.classes):
        raise ValueError(
            f"fold {task.fold}: expected {len(task.test)} of the classes {', '.join(data.classes)} from predict, found "
            f"{prediction!r}"
        )
    scores = np.full((len(task.test), len(data.classes)), np.nan)
    values = _score(estimator, test)
    if values is not None and set(map(str, estimator.classes_)) <= set(data.classes):
        scores[:, [data.classes.index(str(name)) for name in estimator.classes_]] = values
    return prediction, scores


def _estimator(models: Sequence[Any], candidate: Candidate, seed: int) -> Any:
    """A new estimator of the candidate, without the features that ran ahead."""
    estimator = new_model(models[candidate.model], seed)
    if features_of(estimator) is not None:
        estimator = estimator[1:]
    return estimator.set_params(**candidate.settings) if candidate.settings else estimator


def _choose(task: Task, data: Data, models: Sequence[Any], candidates: list[Candidate]) -> Candidate:
    """The candidate of the highest UF1 on the training people's own folds, pooled; the first of equals."""
    y, people = data.truth[task.train], data.people[task.train]
    folds = min(INNER_FOLDS, len(set(people)))
    if folds < 2:
        return candidates[0]
    inner = list(GroupKFold(folds).split(y, groups=people))
    reached = []
    for candidate in candidates:
        X = data.rows[candidate.model][task.train]
        prediction = np.empty(len(y), dtype=object)
        for train, test in inner:
            known = np.unique(y[train])
            if len(known) == 1:
                prediction[test] = known[0]
            else:
                estimator = _estimator(models, candidate, task.seed)
                prediction[test] = estimator.fit(X[train], y[train]).predict(X[test])
        reached.append(float(uf1(count(y.tolist(), prediction.tolist(), data.classes))))
    return candidates[int(np.argmax(reached))]


def _fit_watched(estimator: Any, X: np.ndarray, y: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Fit, and return what each epoch would have answered for the test rows `(epochs, n)`.

    The training gets no word of it: the watcher is called with the network, and returns nothing.
    """
    answered: list[np.ndarray] = []

    def watch(network: Any, epoch: int) -> None:
        rows = test.copy()
        if isinstance(estimator, Pipeline) and len(estimator.steps) > 1:
            rows = estimator[:-1].transform(rows)
        answered.append(np.asarray(network.predict(rows)).astype(str))

    name = f"{estimator.steps[-1][0]}__watch" if isinstance(estimator, Pipeline) else "watch"
    estimator.fit(X, y, **{name: watch})
    return np.stack(answered)


def _score(estimator: Any, X: np.ndarray) -> np.ndarray | None:
    """Probabilities or distances from the boundary, `(n, len(classes_))`; None where the classifier has neither."""
    method = next((name for name in ("predict_proba", "decision_function") if hasattr(estimator, name)), None)
    if method is None or not hasattr(estimator, "classes_"):
        return None
    values = np.asarray(getattr(estimator, method)(X), dtype=float)
    if values.ndim == 1:  # of two classes, the second
        values = np.column_stack([-values, values])
    return values if values.shape == (len(X), len(estimator.classes_)) else None
