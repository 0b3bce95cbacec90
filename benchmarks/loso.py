"""Computing time of leave-one-subject-out on 442 clips of 68 people with random flow of 28 x 28 pixels.

    python benchmarks/loso.py                                  # svm-hoof, svm-linear and majority, including reading
    python benchmarks/loso.py --model ststnet --workers 2      # all folds
    python benchmarks/loso.py --model ststnet --folds 2        # two folds, and an estimate for all 68
    python benchmarks/loso.py --model htnet --folds 1 --epochs 2   # two epochs per fold, and an estimate for all

Prints wall-clock seconds and CPU seconds; the latter depend less on other programs.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from mer.datasets.samples import conform, write_samples
from mer.evaluation.evaluate_folder import evaluate
from mer.flow import Flow, load_component, save_flow
from mer.models import new_model

CLIPS, PEOPLE, SIZE = 442, 68, 28
CLASSES = ("negative", "positive", "surprise")


def write_random_flows(folder: Path) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    rows = []
    for i in range(CLIPS):
        path = f"random/s{i % PEOPLE:02}/c{i}_0.npz"
        field = rng.normal(size=(SIZE, SIZE, 2)).astype(np.float32)
        save_flow(folder / path, Flow.split(field, np.zeros_like(field)))
        rows.append({"dataset": "random", "subject": f"s{i % PEOPLE:02}", "clip": f"c{i}", "onset": 0, "path": path}
                    | {"label": rng.choice(CLASSES, p=[0.57, 0.24, 0.19]), "status": "ok", "scale": 12.0})  # fmt: skip
    table = conform(pd.DataFrame(rows))
    write_samples(table, folder / "samples.csv")
    return table


def time_all(folder: Path, model: str, workers: int) -> None:
    start, used = time.perf_counter(), time.process_time()
    evaluate(folder, model=model, seeds=1, workers=workers)
    wall, used = time.perf_counter() - start, time.process_time() - used
    cpu = f", {used:.1f} CPU s" if workers == 1 else ""
    print(f"{model}: {wall:.1f} s in total{cpu}, {wall / PEOPLE:.3f} s per fold, {workers} worker(s)", flush=True)


def time_folds(folder: Path, table: pd.DataFrame, model: str, folds: int, epochs: int | None) -> None:
    """Seconds per fold, without features, which are computed once for all folds."""
    create = partial(new_model, model)
    features = create()[0]
    if features.frames is None:
        X = np.stack([load_component(folder / path) for path in table["path"]])
    else:  # random clips of the same size
        X = np.random.default_rng(0).random((CLIPS, features.frames, SIZE, SIZE), dtype=np.float32)
    X = features.transform(X)
    y, person = table["label"].to_numpy(dtype=str), table["subject"].to_numpy()
    warm_up = create()[1:]
    if "epochs" in warm_up[-1].get_params():  # imports, first allocations
        warm_up.set_params(**{f"{warm_up.steps[-1][0]}__epochs": 1}).fit(X[:6], np.resize(CLASSES, 6))
    times, share = [], 1.0
    for name in sorted(set(person))[:folds]:
        classifier = create()[1:]
        if epochs is not None:
            share = classifier[-1].epochs / epochs
            classifier[-1].set_params(epochs=epochs)
        start = time.perf_counter(), time.process_time()
        with threadpool_limits(limits=1):
            classifier.fit(X[person != name], y[person != name]).predict(X[person == name])
        times.append([time.perf_counter() - start[0], time.process_time() - start[1]])
    wall, used = np.mean(times, axis=0) * share
    measured = f"{folds} measured" + (f", {epochs} epochs each" if epochs else "")
    print(f"{model}: {wall:.2f} s per fold, {used:.2f} CPU s ({measured})")
    print(f"  all {PEOPLE} folds: {wall * PEOPLE / 60:.1f} min, {used * PEOPLE / 60:.1f} CPU min", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", action="append", help="a name in mer.MODELS; can be repeated")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--folds", type=int, help="measure this many folds and estimate the rest")
    parser.add_argument("--epochs", type=int, help="with --folds: measure this many epochs and estimate the rest")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        flows = Path(temporary)
        samples = write_random_flows(flows)
        for name in arguments.model or ["svm-hoof", "svm-linear", "majority"]:
            if arguments.folds:
                time_folds(flows, samples, name, arguments.folds, arguments.epochs)
            else:
                time_all(flows, name, arguments.workers)
