"""Subject-independent evaluation of a flow folder under a protocol.

The rules, always on: folds are by person; whatever is fitted sees the training people only; the predictions of all
folds are pooled before they are scored; a clip whose flow failed counts as wrong and is listed; each score comes with
an interval over people. A classifier is new in every fold, and gets a copy of the training rows and nothing else.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from mer.flow import load_component
from mer.flow.files import COMPONENTS
from mer.models import PerClip, is_seeded, new_model
from mer.protocol import Protocol, find_protocol
from mer.result import Result
from mer.samples import KEY, STATUSES, read_samples

Track = Callable[[Iterable[Any], int, str], Iterable[Any]]
Task = tuple[int, str, np.ndarray, np.ndarray]  # seed, fold, rows that train, rows that are tested
Answer = tuple[int, np.ndarray, np.ndarray, np.ndarray]  # seed, rows, their classes (n,), their scores (n, C)


def evaluate(
    flows: str | Path,
    protocol: str | Path | Protocol = "loso",
    model: Any = "svm-hoof",
    component: str = "expression",
    seeds: int = 5,
    workers: int | None = None,
    track: Track | None = None,
) -> Result:
    """Test a classifier on people that it has not seen, fold by fold.

    Parameters
    ----------
    flows : str or Path
        A flow folder, as `mer extract-flow` writes it.
    protocol : str, Path or Protocol
        A name in `mer.PROTOCOLS`, or a YAML file of your own (:mod:`mer.protocol`).
    model : str, estimator or function
        A name in `mer.MODELS`; an unfitted object with `fit(X, y)` and `predict(X)`, which gets X as `(n, H * W * 2)`,
        each row one clip's flow in interocular distances (in pixels where no clip has a scale), and y as names of
        classes; or a function that makes such an object, given `random_state` if it has a parameter of that name.
    component : {"expression", "facial", "head"}
        Which flow.
    seeds : int
        Number of runs with different random numbers: 0, 1, ... A model that draws none runs once, and its answers
        stand for every seed.
    workers : int, optional
        Processes; the scores do not depend on it. By default one, and all cores for a named model that draws random
        numbers, since those take long.
    track : function, optional
        `track(items, total, what)` yields `items` and shows progress.

    Returns
    -------
    Result
        `.scores`, `.predictions`, `.confusion`, and `.save(folder)`.

    Raises
    ------
    ValueError
        Where the table does not fit the protocol, or flow of fewer than two people can be read.
    """
    if component not in COMPONENTS:
        raise ValueError(f"no flow component {component!r}; there are {', '.join(COMPONENTS)}")
    if seeds < 1 or (workers is not None and workers < 1):
        raise ValueError("seeds and workers are 1 or more")
    folder, chosen, track = Path(flows), find_protocol(protocol), track or _untracked
    seeded = is_seeded(model)
    samples, left_out = chosen.select(read_samples(folder))
    samples = samples.reset_index(drop=True)
    classes = chosen.classes_of(samples)
    folds = list(chosen.folds(samples))

    rows, failed, digest = _read(samples, folder, component, _features_of(new_model(model)), track)
    readable = np.setdiff1d(np.arange(len(samples)), failed.index)
    tasks: list[Task] = [
        (seed, fold, np.intersect1d(train, readable), np.intersect1d(test, readable))
        for seed in range(seeds if seeded else 1)
        for fold, train, test in folds
    ]
    tasks = [task for task in tasks if len(task[3])]
    if not all(len(train) for _, _, train, _ in tasks) or not tasks:
        first = failed.iloc[0]
        raise ValueError(
            f"{folder}: flow of at least two people is needed, but {len(failed)} of {len(samples)} clips have none; "
            f"the first is {first['subject']}/{first['clip']}: {first['message']}"
        )
    if workers is None:
        workers = -1 if seeded and isinstance(model, str) else 1
    name = model if isinstance(model, str) else _class_name(new_model(model))
    truth = samples["class"].to_numpy(dtype=str)
    running = _answers(tasks, workers, model, rows, truth, classes)
    answers = list(track(running, len(tasks), f"{name}, person by person"))
    return Result(
        predictions=_predictions(samples, folds, answers, seeds, classes),
        classes=classes,
        protocol=chosen,
        settings={
            "flows": str(flows),
            "protocol": chosen.name if isinstance(protocol, Protocol) else str(protocol),
            "model": name,
            "named": isinstance(model, str) and not isinstance(protocol, Protocol),
            "component": component,
            "seeds": seeds,
            "seeded": seeded,
            "estimator": _described(new_model(model)),
            "apex": {str(source or "unknown"): int(n) for source, n in samples["apex_source"].value_counts().items()},
        },
        failed=failed,
        left_out=left_out,
        run=_run_record(folder),
        hashes=_hashes(samples, chosen, folder) | {"flows": digest},
    )


def _untracked(items: Iterable[Any], total: int, what: str) -> Iterable[Any]:
    return items


def _class_name(estimator: Any) -> str:
    return type(estimator.steps[-1][1] if isinstance(estimator, Pipeline) else estimator).__name__


def _described(estimator: Any) -> str:
    """The estimator with its settings, in one line that is the same in every run: functions by their name."""
    return re.sub(r"<function (\S+) at 0x\w+>", r"\1", " ".join(repr(estimator).split()))


def _features_of(estimator: Any) -> PerClip | None:
    """The first step of a pipeline, if it treats each clip by itself and may run ahead of the folds."""
    first = estimator.steps[0][1] if isinstance(estimator, Pipeline) and len(estimator.steps) > 1 else None
    return first if isinstance(first, PerClip) else None


def _read(
    samples: pd.DataFrame, folder: Path, component: str, features: PerClip | None, track: Track
) -> tuple[np.ndarray, pd.DataFrame, str]:
    """The features of each clip, `(n, d)`, with rows of zeros for the clips that failed; those clips, with what went
    wrong; and the SHA-256 of the fields. One full-size field is in memory at a time where there are `features`.
    """
    scales = _scales(samples)
    rows: list[np.ndarray | None] = []
    failures: dict[int, tuple[str, str]] = {}
    digest = hashlib.sha256()
    for i, clip in enumerate(track(samples.to_dict("records"), len(samples), "reading flow")):
        rows.append(None)
        if clip["status"] != "ok":
            failures[i] = (clip["status"], clip["message"] or STATUSES.get(clip["status"], "no flow"))
            continue
        try:
            field = load_component(folder / clip["path"], component)
        except FileNotFoundError:
            failures[i] = ("unreadable", f"{folder / clip['path']} is not there")
            continue
        except (OSError, ValueError) as error:
            failures[i] = ("unreadable", str(error))
            continue
        digest.update(field.tobytes() + np.float64(scales[i]).tobytes())
        field = field / np.float32(scales[i])
        rows[-1] = field.ravel() if features is None else features.transform(field[None])[0]
    failed = samples.loc[list(failures), [*KEY, "class"]]
    failed["status"], failed["message"] = [*zip(*failures.values())] or [(), ()]
    sizes = {len(row): i for i, row in enumerate(rows) if row is not None}
    if len(sizes) > 1:
        odd = " and ".join(f"{samples.at[i, 'path']} ({n} values)" for n, i in list(sizes.items())[:2])
        raise ValueError(f"the flows differ in size, such as {odd}; extract them with one --size")
    blank = np.zeros(max(sizes, default=0), np.float32)
    return np.stack([blank if row is None else row for row in rows]), failed, digest.hexdigest()


def _scales(samples: pd.DataFrame) -> np.ndarray:
    """Pixels per interocular distance of each clip `(n,)`; ones where no clip has any."""
    ok = samples["status"] == "ok"
    known = samples["scale"] > 0
    if not known[ok].any():
        return np.ones(len(samples))
    if not known[ok].all():
        row = samples[ok & ~known].iloc[0]
        raise ValueError(f"{row['path']} has no scale and others have one; give every clip a scale, or none")
    return samples["scale"].to_numpy()


def _answers(
    tasks: list[Task], workers: int, model: Any, rows: np.ndarray, truth: np.ndarray, classes: tuple[str, ...]
) -> Iterator[Answer]:
    """The answers of every fold and seed, in order. One thread each, in one process or in several: sums are taken in
    the same order, so the scores are the same.
    """
    from joblib import Parallel, delayed, parallel_config
    from threadpoolctl import threadpool_limits

    if workers == 1:
        with threadpool_limits(limits=1):
            yield from (_answer(task, model, rows, truth, classes) for task in tasks)
        return
    with parallel_config(backend="loky", inner_max_num_threads=1):
        yield from Parallel(n_jobs=workers, return_as="generator")(
            delayed(_answer)(task, model, rows, truth, classes) for task in tasks
        )


def _answer(task: Task, model: Any, rows: np.ndarray, truth: np.ndarray, classes: tuple[str, ...]) -> Answer:
    """Fit on the training rows of one fold, and answer for its test rows."""
    seed, fold, train, test = task
    scores = np.full((len(test), len(classes)), np.nan)
    known = np.unique(truth[train])
    if len(known) == 1:  # nothing to tell apart, which most classifiers refuse to fit
        scores[:, classes.index(known[0])] = 1
        return seed, test, np.repeat(known, len(test)), scores
    estimator = new_model(model, seed)
    if _features_of(estimator) is not None:
        estimator = estimator[1:]
    estimator.fit(rows[train], truth[train])  # indexing with an array copies
    answer = np.asarray(estimator.predict(rows[test])).astype(str)
    if answer.shape != test.shape or not set(answer) <= set(classes):
        raise ValueError(f"fold {fold}: expected {len(test)} names of classes from predict, found {answer!r}")
    values = _score(estimator, rows[test])
    if values is not None:
        scores[:, [classes.index(str(name)) for name in estimator.classes_]] = values
    return seed, test, answer, scores


def _score(estimator: Any, X: np.ndarray) -> np.ndarray | None:
    """Probabilities or distances from the boundary, `(n, len(classes_))`; None where the classifier has neither."""
    method = next((name for name in ("predict_proba", "decision_function") if hasattr(estimator, name)), None)
    if method is None or not hasattr(estimator, "classes_"):
        return None
    values = np.asarray(getattr(estimator, method)(X), dtype=float)
    if values.ndim == 1:  # of two classes, the second
        values = np.column_stack([-values, values])
    return values if values.shape == (len(X), len(estimator.classes_)) else None


def _predictions(
    samples: pd.DataFrame, folds: list, answers: list[Answer], seeds: int, classes: tuple[str, ...]
) -> pd.DataFrame:
    """One row per sample and seed; where a model ran once, its answers stand for every seed."""
    fold_of = np.empty(len(samples), dtype=object)
    for fold, _, test in folds:
        fold_of[test] = fold
    runs = len({seed for seed, *_ in answers})
    tables = []
    for seed in range(seeds):
        prediction = np.full(len(samples), "", dtype=object)
        scores = np.full((len(samples), len(classes)), np.nan)
        for ran, rows, answer, values in answers:
            if ran == seed % runs:
                prediction[rows], scores[rows] = answer, values
        table = samples[KEY].assign(fold=fold_of, seed=seed, label=samples["class"], prediction=prediction)
        tables.append(table.join(pd.DataFrame(scores, columns=[f"score_{name}" for name in classes])))
    return pd.concat(tables, ignore_index=True)


def _run_record(folder: Path) -> dict[str, Any]:
    path = folder / "run.json"
    try:
        record = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not JSON ({error})") from error
    return record if isinstance(record, dict) else {}


def _hashes(samples: pd.DataFrame, protocol: Protocol, folder: Path) -> dict[str, str]:
    lines = sorted("\t".join(map(str, row)) for row in samples[[*KEY, "class"]].to_numpy())
    hashes = {"samples": hashlib.sha256("\n".join(lines).encode()).hexdigest(), "protocol": protocol.sha256}
    if (folder / "run.json").is_file():
        hashes["run"] = hashlib.sha256((folder / "run.json").read_bytes()).hexdigest()
    return hashes
