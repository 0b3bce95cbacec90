"""Caches the answers of folds on disk, so that an interrupted evaluation can resume."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from mer.evaluation.fit_fold import Answer, Candidate, Task
from mer.utils.atomic_files import write_whole


def cached_answers(
    tasks: list[Task],
    compute: Callable[[list[Task]], Iterator[Answer]],
    candidates: list[Candidate],
    folder: Path | None,
    key: dict[str, Any],
) -> Iterator[Answer]:
    """The answers of all tasks, in order: read from `folder` if they are there, else computed and stored.

    Parameters
    ----------
    tasks : list of Task
    compute : function
        Yields the answers of a list of tasks, in order.
    candidates : list of Candidate
        The models and settings that each fold chose from.
    folder : Path or None
        None: nothing is cached.
    key : dict
        Everything that decides the answers, as JSON values. Answers under another key are never used.
    """
    if folder is None:
        yield from compute(tasks)
        return
    files = [folder / f"{_digest(task, key)}.npz" for task in tasks]
    cached = [_read(file, task, candidates) for file, task in zip(files, tasks)]
    computed = compute([task for task, answer in zip(tasks, cached) if answer is None])
    for file, answer in zip(files, cached):
        if answer is None:
            answer = next(computed)
            _write(file, answer, candidates)
        yield answer


def _digest(task: Task, key: dict[str, Any]) -> str:
    rows = [task.train.tolist(), task.test.tolist()]
    return hashlib.sha256(json.dumps([key, task.seed, task.fold, rows], sort_keys=True).encode()).hexdigest()[:32]


def _write(file: Path, answer: Answer, candidates: list[Candidate]) -> None:
    chosen = -1 if answer.chosen is None else candidates.index(answer.chosen)
    arrays = {"prediction": answer.prediction.astype(str), "scores": answer.scores}
    if answer.epochs is not None:
        arrays["epochs"] = answer.epochs.astype(str)
    with write_whole(file, "wb") as stream:
        np.savez(stream, chosen=np.array(chosen), **arrays)  # type: ignore[arg-type]


def _read(file: Path, task: Task, candidates: list[Candidate]) -> Answer | None:
    """The answer that :func:`_write` stored; None if the file is missing or damaged."""
    try:
        with np.load(file, allow_pickle=False) as archive:
            chosen = candidates[archive["chosen"]] if archive["chosen"] >= 0 else None
            epochs = archive.get("epochs")
            answer = Answer(task, archive["prediction"], archive["scores"], chosen, epochs)
    except Exception:  # damaged files raise a dozen kinds from zipfile, zlib and NumPy
        return None
    return answer if answer.prediction.shape == task.test.shape and len(answer.scores) == len(task.test) else None
