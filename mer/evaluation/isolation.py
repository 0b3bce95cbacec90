"""Classifiers that somebody else wrote: no fold may tell another one of the clips that it has seen.

Each fold's classifier is new and is given copies of its own rows. But a classifier can keep what it has seen outside
itself, in an attribute of its class or a dict that all copies share, where the next fold finds it: and that fold's test
people trained in the one before. So such a classifier is tried first, on random rows and in another process, where what
it leaves behind does no harm. If it remembers there, each fold has a process of its own, which ends with it; otherwise
the folds run in this process, as they do where it cannot be sent to another one; the largest, which goes first, is
asked once more at the end, and an answer that has changed is an error. What no process can hide is a memory on disk,
and a classifier that searches the memory of this program for the classes of the test people.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from mer.evaluation.fit_fold import Answer, Candidate, Data, Task, answer, ask, fit_and_answer, on_one_thread
from mer.models import features_of, new_model
from mer.utils.processes import run_apart, run_jobs
from mer.utils.progress import Track

TRIED = 60  # rows of each of the two folds that a classifier is tried on
_TRUSTED = ("sklearn.", "mer.", "numpy", "scipy.", "builtins", "torch.")
_WHY = (
    "the classifier answers otherwise once it has been fitted to something else: it keeps what it has seen outside "
    "itself, or draws random numbers without a seed"
)


def is_trusted(model: Any) -> bool:
    """Whether all that is fitted of a model is mer's or scikit-learn's own: these keep nothing outside themselves.

    Features of a clip by itself may be anybody's: no label reaches them.
    """
    estimator = new_model(model)
    if features_of(estimator) is not None:
        estimator = estimator[1:]
    parts = [estimator]
    if hasattr(estimator, "get_params"):
        parts += [value for value in estimator.get_params().values() if hasattr(value, "fit") or callable(value)]
    return all(_module(part).startswith(_TRUSTED) for part in parts)


def _module(part: Any) -> str:
    """Where an estimator, a function or a partial one comes from."""
    part = part.func if isinstance(part, partial) else part
    return str((part if hasattr(part, "__name__") else type(part)).__module__)


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
        As :func:`mer.evaluation.fit_fold.answers` takes them.
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
        trial = _trial(models, candidates, data)
        if trial in (HONEST, NOT_SENT):
            return list(track(_together(tasks, data, **settled), len(tasks), what)), False
        why = _WHY if trial == REMEMBERS else "the classifier cannot be fitted to random rows, to see what it remembers"
        warnings.warn(f"{why}. Each fold has a process of its own, so that no fold tells another", stacklevel=3)
    function = partial(on_one_thread, partial(_alone, **settled))
    # What a fold may know is copied when its turn comes: all at once would be the data as often as there are folds.
    found = run_apart(function, [partial(_job, task, data) for task in tasks], workers)
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

HONEST, REMEMBERS, FAILS, NOT_SENT = "honest", "remembers", "fails", "not sent"


def _trial(models: Sequence[Any], candidates: list[Candidate], data: Data) -> str:
    """What a trial in another process tells of a classifier; :data:`NOT_SENT` where it cannot be sent there."""
    widths = [rows.shape[1] for rows in data.rows]
    # Two trials, since one alone would be run in this process. The processes are used again, which does no harm: the
    # rows differ each time.
    seeds = np.random.SeedSequence().generate_state(2)
    jobs = [(models, candidates, widths, data.classes, int(seed)) for seed in seeds]
    try:
        results = set(dict(run_jobs(_tried, jobs, workers=2)).values())
    except Exception:  # joblib has several kinds
        return NOT_SENT
    return next(result for result in (REMEMBERS, FAILS, HONEST) if result in results)


def _tried(job: tuple[Sequence[Any], list[Candidate], list[int], tuple[str, ...], int]) -> str:
    """Whether a first fold is answered otherwise once a second one, in which its test rows train, has been fitted."""
    models, candidates, widths, classes, seed = job
    rng = np.random.default_rng(seed)
    # The classes are shuffled: who has not seen those of the test rows does not know them.
    truth = rng.permutation(np.resize(np.array(classes), 2 * TRIED))
    rows = [rng.normal(0, 1, (2 * TRIED, width)).astype(np.float32) for width in widths]
    people = np.repeat(["one", "another"], TRIED)
    data, one, other = Data(rows, truth, people, classes), np.arange(TRIED), np.arange(TRIED, 2 * TRIED)
    first, second = Task(0, "one", other, one), Task(0, "another", one, other)
    for candidate in candidates:
        try:
            before, estimator = fit_and_answer(first, data, models, [candidate])
            fit_and_answer(second, data, models, [candidate])
            anew, _ = fit_and_answer(first, data, models, [candidate])
            after = ask(estimator, first, data, candidate)
        except Exception:  # somebody else's
            return FAILS
        said = before.prediction, before.scores
        if not _same(said, after) or not _same(said, (anew.prediction, anew.scores)):
            return REMEMBERS
    return HONEST


# --- each fold in a process of its own ---


def _of_one(data: Data, task: Task) -> Data:
    """What one fold may know: its training rows, then its test rows, whose classes are blank."""
    both = np.concatenate([task.train, task.test])
    truth = data.truth[both]
    truth[len(task.train) :] = ""
    return Data([rows[both] for rows in data.rows], truth, data.people[both], data.classes)


def _job(task: Task, data: Data) -> tuple[Task, Data]:
    return task, _of_one(data, task)


def _alone(job: tuple[Task, Data], models: Sequence[Any], candidates: list[Candidate], watch: bool) -> Answer:
    task, data = job
    rows = np.arange(len(task.train) + len(task.test))
    own = Task(task.seed, task.fold, rows[: len(task.train)], rows[len(task.train) :])
    return answer(own, data, models, candidates, watch)
