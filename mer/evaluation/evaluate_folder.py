"""Subject-independent evaluation of a flow folder under a protocol.

The rules, always on: folds are by person; whatever is fitted sees the training people only; the predictions of all
folds are pooled before they are scored; a clip whose flow failed counts as wrong and is listed; each score comes with
an interval over people. A classifier is new in every fold, and gets a copy of the training rows and nothing else.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import sklearn

from mer._version import __version__
from mer.datasets.samples import KEY, read_samples
from mer.evaluation.au_result import UnitResult
from mer.evaluation.fit_fold import Answer, Data, Task, answers, can_watch, candidates_of, full_grid
from mer.evaluation.fold_cache import keep_answers
from mer.evaluation.isolation import answers_of_others, is_trusted
from mer.evaluation.load_features import SEES, read_rows
from mer.evaluation.protocols.folds import Fold, people_of
from mer.evaluation.protocols.protocol import Protocol, find_protocol
from mer.evaluation.result import Result
from mer.extraction.flow_folder import versions
from mer.flow.files import COMPONENTS
from mer.models import features_of, is_seeded, name_of, new_model, seen_before
from mer.utils.progress import Track, untracked


def evaluate(
    flows: str | Path,
    protocol: str | Path | Protocol = "loso",
    model: Any = "svm-hoof",
    component: str = "expression",
    seeds: int = 5,
    workers: int | None = None,
    track: Track | None = None,
    *,
    megc_csv: str | Path | None = None,
    grid: Mapping[str, Sequence[Any]] | None = None,
    oracle_epoch: bool = False,
    keep: str | Path | None = None,
    cluster: str | None = None,
) -> Result:
    """Test a classifier on people that it has not seen, fold by fold.

    Parameters
    ----------
    flows : str or Path
        A flow folder, as `mer extract-flow` writes it.
    protocol : str, Path or Protocol
        A name in `mer.PROTOCOLS`, or a YAML file of your own (:mod:`mer.evaluation.protocols.protocol`).
    model : str, estimator or function, or a list of them
        A name in `mer.MODELS`; an unfitted object with `fit(X, y)` and `predict(X)`, which gets X as `(n, H * W * 2)`,
        each row one clip's flow in interocular distances (in pixels where no clip has a scale), and y as names of
        classes; or a function that makes such an object, given `random_state` if it has a parameter of that name. Of a
        list, each fold takes the one that scores best on folds of its training people (nested cross-validation).
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
    megc_csv : str or Path, optional
        The organizers' own list of clips, for a protocol that has one: exactly its clips are evaluated.
    grid : mapping, optional
        Parameter of the model -> values. In each fold, those are taken that score best on folds of the training people
        (nested cross-validation); see `Result.chosen`. A parameter's short name will do, as in `{"C": [0.5, 2, 8]}`.
    oracle_epoch : bool
        Also score what a network would have answered at the epoch that is best for the test person, as several
        well-known programs do. This is no result: it shows how far such a pick inflates one. The scores proper stay
        what they are.
    keep : str or Path, optional
        A folder for the answers of folds, so that a run that was ended goes on where it stopped. It may be removed
        afterwards. Nothing is kept of a model that is no name: whether it is still the same can't be known.
    cluster : str, optional
        Address of a Dask scheduler, whose workers fit the folds (:mod:`mer.utils.dask_cluster`). They are sent what they need.

    Returns
    -------
    Result
        `.scores`, `.predictions`, `.confusion`, and `.save(folder)`; under a protocol of action units, a
        :class:`mer.evaluation.au_result.UnitResult`.

    Raises
    ------
    ValueError
        Where the table does not fit the protocol, or flow of fewer than two people can be read.
    """
    if component not in COMPONENTS:
        raise ValueError(f"no flow component {component!r}; there are {', '.join(COMPONENTS)}")
    if seeds < 1 or (workers is not None and workers < 1):
        raise ValueError("seeds and workers are 1 or more")
    folder, chosen, track = Path(flows), find_protocol(protocol), track or untracked
    models = list(model) if isinstance(model, (list, tuple)) else [model]
    seeded = any(map(is_seeded, models))
    samples, left_out = chosen.select(read_samples(folder), megc_csv)
    samples = samples.reset_index(drop=True)
    classes = chosen.classes_of(samples)
    folds = list(chosen.folds(samples))
    grid = full_grid(models[0], grid) if grid else None
    candidates = candidates_of(models, grid)
    if oracle_epoch and (len(candidates) > 1 or chosen.units or not can_watch(models[0])):
        raise ValueError("oracle_epoch needs classes, one network whose fit(X, y, watch) tells each epoch, and no grid")

    read = [read_rows(samples, folder, component, features_of(new_model(one)), track) for one in models]
    _, failed, digest = read[0]
    readable = np.setdiff1d(np.arange(len(samples)), failed.index)
    tasks = [
        Task(seed, fold, np.intersect1d(train, readable), np.intersect1d(test, readable))
        for seed in range(seeds if seeded else 1)
        for fold, train, test in folds
    ]
    tasks = [task for task in tasks if len(task.test)]
    if not all(len(task.train) for task in tasks) or not tasks:
        first = failed.iloc[0]
        raise ValueError(
            f"{folder}: flow of at least two people is needed, but {len(failed)} of {len(samples)} clips have none; "
            f"the first is {first['subject']}/{first['clip']}: {first['message']}"
        )
    trusted = all(map(is_trusted, models))
    if cluster is not None and not trusted:
        raise ValueError(
            "a cluster's workers keep what a fold leaves in memory, so they fit mer's and scikit-learn's classifiers "
            "alone; evaluate yours with workers=N, where each fold has a process of its own"
        )
    if workers is None:
        workers = -1 if seeded and all(isinstance(one, str) for one in models) and cluster is None else 1
    names = list(map(name_of, models))
    name = ",".join(names)
    pretrained = "; ".join(dict.fromkeys(seen_before(new_model(one)) for one in models))
    hashes = _hashes(samples, chosen, folder, megc_csv) | {"flows": digest}
    terms = {
        "hashes": {**hashes, "flows": [one for _, _, one in read]}, "component": component, "watched": oracle_epoch,
        "pretrained": pretrained,
        "candidates": repr(candidates), "models": [_described(new_model(one)) for one in models],
        "versions": {"mer": __version__, "scikit-learn": sklearn.__version__, **versions()},
    }  # fmt: skip
    kept = Path(keep) if keep is not None and all(isinstance(one, str) for one in models) else None
    tables, settings, apart = [], [], False
    for unit, truth in _questions(samples, chosen).items():
        data = Data([rows for rows, _, _ in read], truth, people_of(samples), classes)
        settled: dict[str, Any] = {"data": data, "models": models, "candidates": candidates, "watch": oracle_epoch}
        what = f"{name}, fold by fold" if unit is None else f"{name}, AU {unit}"
        if trusted:
            compute = partial(answers, **settled, workers=workers, cluster=cluster)
            running = keep_answers(tasks, compute, candidates, kept, {**terms, "unit": unit})
            done = list(track(running, len(tasks), what))
        else:
            done, apart = answers_of_others(tasks, **settled, workers=workers, what=what, track=track)
        tables.append(_predictions(samples, truth, folds, done, seeds, classes))
        settings.append(_chosen(done, names))
        if unit is not None:
            for table in (tables[-1], settings[-1]):
                table.insert(0, "unit", unit)
    kind = UnitResult if chosen.units else Result
    return kind(
        predictions=pd.concat(tables, ignore_index=True),
        classes=classes,
        protocol=chosen,
        settings={
            "flows": str(flows),
            "protocol": chosen.name if isinstance(protocol, Protocol) else str(protocol),
            "model": name,
            "named": all(isinstance(one, str) for one in models) and not isinstance(protocol, Protocol),
            "component": component,
            "sees": "; ".join(dict.fromkeys(map(partial(_sees, component), models))),
            "seeds": seeds,
            "seeded": seeded,
            "grid": grid,
            "oracle_epoch": oracle_epoch,
            "megc_csv": None if megc_csv is None else str(megc_csv),
            "pretrained": pretrained,
            "apart": apart,
            "estimator": "; ".join(_described(new_model(one)) for one in models),
            "apex": {str(source or "unknown"): int(n) for source, n in samples["apex_source"].value_counts().items()},
        },
        failed=failed,
        left_out=left_out,
        run=_run_record(folder),
        hashes=hashes,
        chosen=pd.concat(settings, ignore_index=True),
    )


def _sees(component: str, model: Any) -> str:
    """What a model is given of each clip."""
    features = features_of(new_model(model))
    return f"{component} flow" if features is None else SEES.get(features.input_kind, f"{component} flow")


def _described(estimator: Any) -> str:
    """The estimator with its settings, in one line that is the same in every run: functions by their name."""
    return re.sub(r"<function (\S+) at 0x\w+>", r"\1", " ".join(repr(estimator).split()))


def _questions(samples: pd.DataFrame, protocol: Protocol) -> dict[int | None, np.ndarray]:
    """The classes `(n,)` that are to be answered; of action units, whether each of them is there."""
    if not protocol.units:
        return {None: samples["class"].to_numpy(dtype=str)}
    present = [set(units.split("+")) for units in samples["class"]]
    return {
        unit: np.array(["present" if str(unit) in units else "absent" for units in present]) for unit in protocol.units
    }


def _predictions(
    samples: pd.DataFrame,
    truth: np.ndarray,
    folds: list[Fold],
    done: list[Answer],
    seeds: int,
    classes: tuple[str, ...],
) -> pd.DataFrame:
    """One row per tested sample and seed; where a model ran once, its answers stand for every seed."""
    fold_of = np.full(len(samples), "", dtype=object)
    for fold, _, test in folds:
        fold_of[test] = fold
    runs = len({answer.task.seed for answer in done})
    watched = any(answer.epochs is not None for answer in done)
    tables = []
    for seed in range(seeds):
        prediction = np.full(len(samples), "", dtype=object)
        scores = np.full((len(samples), len(classes)), np.nan)
        oracle = pd.DataFrame({"oracle_epoch": 0, "oracle_prediction": ""}, index=samples.index)
        for answer in done:
            if answer.task.seed != seed % runs:
                continue
            rows = answer.task.test
            prediction[rows], scores[rows] = answer.prediction, answer.scores
            if answer.epochs is not None:
                right = (answer.epochs == truth[rows]).sum(1)
                best = len(right) - 1 - int(right[::-1].argmax())  # of equals, the last
                oracle.loc[rows, ["oracle_epoch", "oracle_prediction"]] = np.column_stack(
                    [np.full(len(rows), best + 1, dtype=object), answer.epochs[best]]
                )
        table = samples[KEY].assign(fold=fold_of, seed=seed, label=truth, prediction=prediction)
        table = table.join(oracle) if watched else table
        table = table.join(pd.DataFrame(scores, columns=[f"score_{name}" for name in classes]))
        tables.append(table[fold_of != ""])
    return pd.concat(tables, ignore_index=True)


def _chosen(done: list[Answer], names: list[str]) -> pd.DataFrame:
    """One row a fold and seed: what the inner evaluation chose; empty where there was none."""
    rows = [
        {"fold": one.task.fold, "seed": one.task.seed}
        | ({"model": names[one.chosen.model]} if len(names) > 1 else {})
        | one.chosen.settings
        for one in done
        if one.chosen is not None
    ]
    return pd.DataFrame(rows, columns=None if rows else ["fold", "seed"])


def _run_record(folder: Path) -> dict[str, Any]:
    path = folder / "run.json"
    try:
        record = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not JSON ({error})") from error
    return record if isinstance(record, dict) else {}


def _hashes(samples: pd.DataFrame, protocol: Protocol, folder: Path, megc_csv: str | Path | None) -> dict[str, str]:
    lines = sorted("\t".join(map(str, row)) for row in samples[[*KEY, "class"]].to_numpy())
    hashes = {"samples": hashlib.sha256("\n".join(lines).encode()).hexdigest(), "protocol": protocol.sha256}
    if (folder / "run.json").is_file():
        hashes["run"] = hashlib.sha256((folder / "run.json").read_bytes()).hexdigest()
    if megc_csv is not None:
        hashes["list"] = protocol.list_sha256
    return hashes
