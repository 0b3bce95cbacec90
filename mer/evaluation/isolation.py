"""Prevents classifiers that others wrote from passing information between folds.

Each fold gets a new classifier and copies of its own rows. But a classifier can keep what it has seen outside itself,
for example in an attribute of its class or in a dict that all copies share. The next fold would find it there, although
its test people trained in the fold before. So each fold of a foreign classifier runs in a fresh process, which has
neither the rows of other people nor the classes of the test rows. This does not prevent a memory on disk.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
from joblib import effective_n_jobs

from mer.evaluation.fit_fold import Answer, Candidate, Data, Task, answer, on_one_thread
from mer.models import MODELS, features_of, new_model
from mer.utils.fresh_processes import run_in_fresh_processes

_TRUSTED = ("sklearn.", "mer.", "numpy", "scipy.", "builtins", "torch.")


def is_trusted(model: Any) -> bool:
    """Whether all fitted parts of a model come from mer or scikit-learn, which keep nothing outside themselves.

    Features that are computed for each clip by itself may come from anywhere: they never see a label.
    """
    return all(module.startswith(_TRUSTED) for module in _modules(model))


def _modules(model: Any) -> set[str]:
    """The modules that define the fitted parts of a model."""
    estimator = new_model(model)
    if features_of(estimator) is not None:
        estimator = estimator[1:]
    parts = [estimator]
    if hasattr(estimator, "get_params"):
        parts += [value for value in estimator.get_params().values() if hasattr(value, "fit") or callable(value)]
    parts = [part.func if isinstance(part, partial) else part for part in parts]
    return {str((part if hasattr(part, "__name__") else type(part)).__module__) for part in parts}


def isolated_answers(
    tasks: list[Task], data: Data, models: Sequence[Any], candidates: list[Candidate], workers: int, watch: bool
) -> Iterator[Answer]:
    """The answers of :func:`mer.evaluation.fit_fold.answers`, each from a fresh process.

    `ValueError` if the classifier cannot be sent to another process.
    """
    models = [
        MODELS.get(model, model) if isinstance(model, str) else model for model in models
    ]  # may be registered here
    function = partial(on_one_thread, partial(_answer, models=models, candidates=candidates, watch=watch))
    jobs = [partial(_visible, data, task) for task in tasks]
    imports = {answer.__module__}.union(*map(_modules, models)) - {"__main__"}
    if "torch" in sys.modules or any("torch" in name for name in imports):
        imports.add("torch")
    answers = run_in_fresh_processes(function, jobs, effective_n_jobs(workers), sorted(imports))
    yield from (given._replace(task=task) for task, given in zip(tasks, answers))


def _visible(data: Data, task: Task) -> tuple[Data, Task]:
    """What a fold may see: its training rows, then its test rows with blank classes."""
    rows = np.concatenate([task.train, task.test])
    truth = data.truth[rows]
    truth[len(task.train) :] = ""
    train, test = np.split(np.arange(len(rows)), [len(task.train)])
    own = Data([matrix[rows] for matrix in data.rows], truth, data.people[rows], data.classes)
    return own, Task(task.seed, task.fold, train, test)


def _answer(job: tuple[Data, Task], models: Sequence[Any], candidates: list[Candidate], watch: bool) -> Answer:
    data, task = job
    np.random.seed()  # noqa: NPY002  forked processes share the state of NumPy's global generator
    return answer(task, data, models, candidates, watch)
