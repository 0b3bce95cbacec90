"""Answers of folds on disk while an evaluation runs, so that one that was ended goes on where it stopped."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from mer.evaluation.fit_fold import Answer, Candidate, Task
from mer.utils.atomic_files import write_whole


def keep_answers(
    tasks: list[Task],
    compute: Callable[[list[Task]], Iterator[Answer]],
    candidates: list[Candidate],
    folder: Path | None,
    terms: dict[str, Any],
) -> Iterator[Answer]:
    """The answers of all tasks, in order: those that are in `folder` are read, the others computed and put there.

    Parameters
    ----------
    tasks : list of Task
    compute : function
        Yields the answers of the tasks it is given, in order.
    candidates : list of Candidate
        What each fold chose from.
    folder : Path or None
        None: nothing is kept.
    terms : dict
        Everything that decides the answers, as JSON; answers under other terms are never taken.
    """
    if folder is None:
        yield from compute(tasks)
        return
    files = [folder / f"{_digest(task, terms)}.npz" for task in tasks]
    known = [_read(file, task, candidates) for file, task in zip(files, tasks)]
    computed = compute([task for task, answer in zip(tasks, known) if answer is None])
    for file, answer in zip(files, known):
        if answer is None:
            answer = next(computed)
            _write(file, answer, candidates)
        yield answer


def _digest(task: Task, terms: dict[str, Any]) -> str:
    rows = [task.train.tolist(), task.test.tolist()]
    return hashlib.sha256(json.dumps([terms, task.seed, task.fold, rows], sort_keys=True).encode()).hexdigest()[:32]


def _write(file: Path, answer: Answer, candidates: list[Candidate]) -> None:
    chosen = -1 if answer.chosen is None else candidates.index(answer.chosen)
    arrays = {"prediction": answer.prediction.astype(str), "scores": answer.scores}
    if answer.epochs is not None:
        arrays["epochs"] = answer.epochs.astype(str)
    with write_whole(file, "wb") as stream:
        np.savez(stream, chosen=np.array(chosen), **arrays)  # type: ignore[arg-type]


def _read(file: Path, task: Task, candidates: list[Candidate]) -> Answer | None:
    """What :func:`_write` wrote; None where it isn't there or is damaged."""
    try:
        with np.load(file, allow_pickle=False) as archive:
            chosen = candidates[archive["chosen"]] if archive["chosen"] >= 0 else None
            epochs = archive.get("epochs")
            answer = Answer(task, archive["prediction"], archive["scores"], chosen, epochs)
    except Exception:  # zipfile, zlib and NumPy have a dozen kinds for damaged bytes
        return None
    return answer if answer.prediction.shape == task.test.shape and len(answer.scores) == len(task.test) else None
