"""Classifiers that somebody else wrote: no fold may tell another one of the clips that it has seen.

Each fold's classifier is new and is given copies of its own rows. But a classifier can keep what it has seen outside
itself, in an attribute of its class or a dict that all copies share, where the next fold finds it: and that fold's test
people trained in the one before. So such a classifier is tried first, on random rows and in another process, where what
it leaves behind does no harm. If it remembers there, each fold has a process of its own, which ends with it; otherwise
the folds run in this process, and the largest, which goes first, is asked once more at the end.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from mer.fitting import Answer, Candidate, Data, Task, answer, ask, fit_and_answer, on_one_thread
from mer.models import new_model
from mer.workers import run_apart, run_jobs

TRIED = 24  # rows of each of the two folds that a classifier is tried on
_TRUSTED = ("sklearn.", "mer.")
_WHY = (
    "the classifier answers otherwise once it has been fitted to something else: it keeps what it has seen outside "
    "itself, or draws random numbers without a seed"
)
Track = Callable[[Iterable[Any], int, str], Iterable[Any]]


def is_trusted(model: Any) -> bool:
    """Whether all that is fitted of a model is mer's or scikit-learn's own: these keep nothing outside themselves."""
    if isinstance(model, str):
        return True
    estimator = new_model(model)
    parts = [estimator]
    if hasattr(estimator, "get_params"):
        parts += [value for value in estimator.get_params().values() if hasattr(value, "fit")]
    return all(type(part).__module__.startswith(_TRUSTED) for part in parts)


def answers_of_others(
    tasks: list[Task],
    data: Data,
    models: Sequence[Any],
    candidates: list[Candidate],
    watch: bool,
    workers: int,
    what: str,
    track: Track,
) -> tuple[list[Answer], bool]:
    """The answers of every fold and seed, in order; and whether each fold had a process of its own.

    Parameters
    ----------
    tasks, data, models, candidates, watch
        As :func:`mer.fitting.answers` takes them.
    workers : int
        Processes at a time, where each fold has its own; with more than one, each has.
    what : str
    track : function
        `track(answers, total, what)` yields the answers and shows progress.

    Raises
    ------
    ValueError
        For a classifier that remembers, which showed only once the folds had been fitted, or cannot be sent to other
        processes.
    """
    settled: dict[str, Any] = {"models": models, "candidates": candidates, "watch": watch}
    if workers == 1:
        if not _remembers_when_tried(models, data):
            return list(track(_together(tasks, data, **settled), len(tasks), what)), False
        warnings.warn(f"{_WHY}. Each fold has a process of its own, so that no fold tells another", stacklevel=3)
    function = partial(on_one_thread, partial(_alone, **settled))
    found = run_apart(function, [(task, _of_one(data, task)) for task in tasks], workers)
    whole = (given._replace(task=task) for task, given in zip(tasks, found))
    return list(track(whole, len(tasks), what)), True


# --- all folds in this process ---


def _together(
    tasks: list[Task], data: Data, models: Sequence[Any], candidates: list[Candidate], watch: bool
) -> Iterator[Answer]:
    """The answers in order; `ValueError` at the end, where the largest fold is answered otherwise then."""
    first = max(range(len(tasks)), key=lambda i: len(tasks[i].test))
    compute = partial(fit_and_answer, data=data, models=models, candidates=candidates, watch=watch)
    before, estimator = on_one_thread(compute, tasks[first])
    for i, task in enumerate(tasks):
        yield before if i == first else on_one_thread(compute, task)[0]
    if estimator is not None and len(tasks) > 1:
        chosen = before.chosen or candidates[0]
        said = before.prediction, before.scores
        if not on_one_thread(partial(_asked_again, estimator, before=said, data=data, chosen=chosen), before.task):
            raise ValueError(f"{_WHY}. That would be no result; give every copy a memory of its own, and a seed")


def _asked_again(
    estimator: Any, task: Task, before: tuple[np.ndarray, np.ndarray], data: Data, chosen: Candidate
) -> bool:
    """Whether it gives the same answers as before."""
    try:
        after = ask(estimator, task, data, chosen)
    except Exception:  # somebody else's
        return False
    return _same(before, after)


def _same(before: tuple[np.ndarray, np.ndarray], after: tuple[np.ndarray, np.ndarray]) -> bool:
    return np.array_equal(before[0], after[0]) and np.array_equal(before[1], after[1], equal_nan=True)


# --- a trial ---


def _remembers_when_tried(models: Sequence[Any], data: Data) -> bool:
    """Whether the classifier remembers, by a trial in another process; False where it cannot be tried there."""
    widths = [rows.shape[1] for rows in data.rows]
    # Two trials, since one alone would be run in this process. The processes are used again, which does no harm: the
    # rows differ each time.
    jobs = [(models, widths, data.classes, int(seed)) for seed in np.random.SeedSequence().generate_state(2)]
    try:
        results = dict(run_jobs(_tried, jobs, workers=2))
    except Exception:  # it cannot be sent there
        return False
    return any(results.values())


def _tried(job: tuple[Sequence[Any], list[int], tuple[str, ...], int]) -> bool:
    """Whether a first fold is answered otherwise once a second one, in which its test rows train, has been fitted."""
    models, widths, classes, seed = job
    rng = np.random.default_rng(seed)
    truth = np.resize(np.array(classes), 2 * TRIED)
    rows = [rng.normal(0, 1, (2 * TRIED, width)).astype(np.float32) for width in widths]
    people = np.repeat(["one", "another"], TRIED)
    # The classes of the test rows are shuffled: who has not seen them does not know them.
    truth = rng.permutation(truth)
    data, one, other = Data(rows, truth, people, classes), np.arange(TRIED), np.arange(TRIED, 2 * TRIED)
    first, second = Task(0, "one", other, one), Task(0, "another", one, other)
    for number in range(len(models)):
        chosen = [Candidate(number, {})]
        try:
            before, estimator = fit_and_answer(first, data, models, chosen)
            fit_and_answer(second, data, models, chosen)
            anew, _ = fit_and_answer(first, data, models, chosen)
            after = ask(estimator, first, data, chosen[0])
        except Exception:  # it cannot be fitted to random rows
            continue
        said = before.prediction, before.scores
        if not _same(said, after) or not _same(said, (anew.prediction, anew.scores)):
            return True
    return False


# --- each fold in a process of its own ---


def _of_one(data: Data, task: Task) -> Data:
    """What one fold may know: its training rows, then its test rows, whose classes are blank."""
    both = np.concatenate([task.train, task.test])
    truth = data.truth[both]
    truth[len(task.train) :] = ""
    return Data([rows[both] for rows in data.rows], truth, data.people[both], data.classes)


def _alone(job: tuple[Task, Data], models: Sequence[Any], candidates: list[Candidate], watch: bool) -> Answer:
    task, data = job
    rows = np.arange(len(task.train) + len(task.test))
    own = Task(task.seed, task.fold, rows[: len(task.train)], rows[len(task.train) :])
    return answer(own, data, models, candidates, watch)
