"""Subject-independent evaluation of a flow folder under a protocol.

These rules always hold: folds are by person; everything that is fitted sees the training people only; the predictions
of all folds are pooled before they are scored; a clip whose flow failed counts as wrong and is listed; each score has
an interval over people. Each fold has a new classifier, which gets copies of its training rows and nothing else.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import sklearn

from mer._version import __version__
from mer.datasets.samples import KEY, read_samples
from mer.evaluation.au_result import UnitResult
from mer.evaluation.fit_fold import Data, Task, answers
from mer.evaluation.fold_cache import cached_answers
from mer.evaluation.isolation import isolated_answers
from mer.evaluation.load_features import read_rows
from mer.evaluation.model_set import ModelSet
from mer.evaluation.prediction_tables import chosen_table, prediction_table
from mer.evaluation.protocols.folds import Fold, people_of
from mer.evaluation.protocols.protocol import Protocol, find_protocol
from mer.evaluation.result import Result
from mer.extraction.flow_folder import versions
from mer.flow.files import COMPONENTS
from mer.models import features_of, new_model
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
    """Test a classifier on unseen people, fold by fold.

    Parameters
    ----------
    flows : str or Path
        A flow folder, as `mer extract-flow` writes it.
    protocol : str, Path or Protocol
        A name in `mer.PROTOCOLS`, or your own YAML file (:mod:`mer.evaluation.protocols.protocol`).
    model : str, estimator or function, or a list of them
        A name in `mer.MODELS`; an unfitted object with `fit(X, y)` and `predict(X)`; or a function that returns one,
        called with `random_state` if it has a parameter of that name. X is `(n, H * W * 2)`, one clip's flow per row in
        interocular distances (in pixels if no clip has a scale), and y holds class names. From a list, each fold takes
        the model that scores best on folds of its training people (nested cross-validation). A classifier that is
        neither mer's nor scikit-learn's must be picklable: each of its folds runs in a fresh process.
    component : {"expression", "facial", "head"}
        The flow to classify.
    seeds : int
        Number of runs with random seeds 0, 1, ... A model without `random_state` is deterministic and runs once.
    workers : int, optional
        Number of processes; the scores do not depend on it. By default 1, and all cores for a named model that draws
        random numbers, since those are slow.
    track : function, optional
        `track(items, total, description)` yields `items` and shows progress.
    megc_csv : str or Path, optional
        The organizers' own list of clips, for a protocol that has one: exactly its clips are evaluated.
    grid : mapping, optional
        Parameter of the model -> values. Each fold takes the combination that scores best on folds of its training
        people (nested cross-validation); see `Result.chosen`. Short parameter names work, as in `{"C": [0.5, 2, 8]}`.
    oracle_epoch : bool
        Also score the answers of a network at the epoch that is best for each test person, as several well-known
        programs do. This is not a result: it shows how much such a choice inflates one. The other scores do not change.
    keep : str or Path, optional
        A folder that caches the answers of folds, so that an interrupted run can resume. It may be deleted afterwards.
        Only named models are cached: nothing shows whether another object is still the same.
    cluster : str, optional
        Address of a Dask scheduler whose workers fit the folds (:mod:`mer.utils.dask_cluster`). They receive all data.

    Returns
    -------
    Result
        `.scores`, `.predictions`, `.confusion`, and `.save(folder)`; under a protocol of action units, a
        :class:`mer.evaluation.au_result.UnitResult`.

    Raises
    ------
    ValueError
        If the table does not fit the protocol, if fewer than two people have readable flow, or if a classifier cannot
        be sent to another process.
    """
    if component not in COMPONENTS:
        raise ValueError(f"unknown flow component {component!r}; choose from {', '.join(COMPONENTS)}")
    if seeds < 1 or (workers is not None and workers < 1):
        raise ValueError("seeds and workers must be at least 1")
    track = track or untracked
    clips = _select_clips(Path(flows), find_protocol(protocol), megc_csv)
    models = ModelSet(list(model) if isinstance(model, (list, tuple)) else [model], grid)
    models.check(oracle_epoch, clips.protocol, cluster)
    features = _read_features(clips, models, component, track)
    tasks = _tasks(clips, features, seeds if models.seeded else 1)
    if workers is None:
        workers = -1 if models.seeded and models.named and cluster is None else 1

    tables, chosen = [], []
    for unit, truth in _questions(clips).items():
        data = Data(features.rows, truth, people_of(clips.samples), clips.classes)
        compute = partial(
            partial(answers, cluster=cluster) if models.trusted else isolated_answers,
            data=data, models=models.models, candidates=models.candidates, workers=workers, watch=oracle_epoch,
        )  # fmt: skip
        cache = Path(keep) if keep is not None and models.named and models.trusted else None
        key = _cache_key(clips, models, features, component, oracle_epoch, unit)
        what = f"{models.name}, fold by fold" if unit is None else f"{models.name}, AU {unit}"
        done = list(track(cached_answers(tasks, compute, models.candidates, cache, key), len(tasks), what))
        tables.append(prediction_table(clips.samples, truth, clips.folds, done, clips.classes, unit))
        chosen.append(chosen_table(done, models.names, unit))

    settings = {
        "flows": str(flows),
        "protocol": clips.protocol.name if isinstance(protocol, Protocol) else str(protocol),
        "model": models.name,
        "named": models.named and not isinstance(protocol, Protocol),
        "component": component,
        "sees": models.inputs(component),
        "seeds": seeds,
        "seeded": models.seeded,
        "grid": models.grid,
        "oracle_epoch": oracle_epoch,
        "megc_csv": None if megc_csv is None else str(megc_csv),
        "pretrained": models.pretrained,
        "apart": not models.trusted,
        "estimator": "; ".join(models.descriptions),
        "apex": {str(key or "unknown"): int(n) for key, n in clips.samples["apex_source"].value_counts().items()},
    }
    return (UnitResult if clips.protocol.units else Result)(
        pd.concat(tables, ignore_index=True),
        clips.classes,
        clips.protocol,
        settings,
        features.failed,
        clips.left_out,
        run=_run_record(clips.folder),
        hashes={**clips.hashes, "flows": features.hashes[0]},
        chosen=pd.concat(chosen, ignore_index=True),
    )


# --- steps ---


@dataclass(frozen=True, eq=False)
class _Clips:
    """The clips of a flow folder that belong to a protocol, with their classes and folds."""

    folder: Path
    protocol: Protocol
    samples: pd.DataFrame
    left_out: pd.Series
    classes: tuple[str, ...]
    folds: list[Fold]
    hashes: dict[str, str]


@dataclass(frozen=True, eq=False)
class _Features:
    """For each model, one feature vector per clip `(n, d)` and the hash of the flow; the clips that failed."""

    rows: list[np.ndarray]
    hashes: list[str]
    failed: pd.DataFrame


def _select_clips(folder: Path, protocol: Protocol, megc_csv: str | Path | None) -> _Clips:
    samples, left_out = protocol.select(read_samples(folder), megc_csv)
    samples = samples.reset_index(drop=True)
    hashes = _hashes(samples, protocol, folder, megc_csv)
    return _Clips(
        folder, protocol, samples, left_out, protocol.classes_of(samples), list(protocol.folds(samples)), hashes
    )


def _read_features(clips: _Clips, models: ModelSet, component: str, track: Track) -> _Features:
    """Read the features of each model; the clips that failed are those of the first."""
    read = [
        read_rows(clips.samples, clips.folder, component, features_of(new_model(model)), track)
        for model in models.models
    ]
    return _Features([rows for rows, _, _ in read], [sha256 for _, _, sha256 in read], read[0][1])


def _tasks(clips: _Clips, features: _Features, runs: int) -> list[Task]:
    """Every fold of every run, without the clips that failed; `ValueError` if a fold has nobody to train on."""
    readable = np.setdiff1d(np.arange(len(clips.samples)), features.failed.index)
    tasks = [
        Task(seed, fold, np.intersect1d(train, readable), np.intersect1d(test, readable))
        for seed in range(runs)
        for fold, train, test in clips.folds
    ]
    tasks = [task for task in tasks if len(task.test)]
    if not tasks or not all(len(task.train) for task in tasks):
        first = features.failed.iloc[0]
        raise ValueError(
            f"{clips.folder}: at least two people need readable flow, but {len(features.failed)} of "
            f"{len(clips.samples)} clips have none; the first is {first['subject']}/{first['clip']}: {first['message']}"
        )
    return tasks


def _questions(clips: _Clips) -> dict[int | None, np.ndarray]:
    """The true classes `(n,)`; under a protocol of action units, the presence of each unit."""
    if not clips.protocol.units:
        return {None: clips.samples["class"].to_numpy(dtype=str)}
    present = [set(units.split("+")) for units in clips.samples["class"]]
    return {
        unit: np.array(["present" if str(unit) in units else "absent" for units in present])
        for unit in clips.protocol.units
    }


def _cache_key(
    clips: _Clips, models: ModelSet, features: _Features, component: str, oracle_epoch: bool, unit: int | None
) -> dict[str, Any]:
    """Everything that decides the answers of all folds, as plain values."""
    return {
        "hashes": {**clips.hashes, "flows": features.hashes},
        "component": component,
        "watched": oracle_epoch,
        "pretrained": models.pretrained,
        "candidates": repr(models.candidates),
        "models": models.descriptions,
        "unit": unit,
        "versions": {"mer": __version__, "scikit-learn": sklearn.__version__, **versions()},
    }


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
