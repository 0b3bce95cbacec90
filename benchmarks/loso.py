"""How long leave-one-subject-out takes: 442 clips of 68 people, 28 x 28, random flow.

    python benchmarks/loso.py                                  # svm-hoof, svm-linear and majority, reading included
    python benchmarks/loso.py --model ststnet --folds 2        # two of 68 folds, and what all would take
    python benchmarks/loso.py --model ststnet --workers 2      # all folds

Besides the wall clock it prints processor seconds, which other programs on the machine disturb less.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from mer.evaluation import evaluate
from mer.flow import Flow, load_component, save_flow
from mer.models import new_model
from mer.samples import conform, write_samples

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
    own = f", {used:.1f} s of processor time" if workers == 1 else ""
    print(f"{model}: {wall:.1f} s in all{own}, {wall / PEOPLE:.3f} s a fold, {workers} worker(s)", flush=True)


def time_folds(folder: Path, table: pd.DataFrame, model: str, folds: int) -> None:
    X = np.stack([load_component(folder / path) for path in table["path"]])
    y, person = table["label"].to_numpy(dtype=str), table["subject"].to_numpy()
    new_model(model).fit(X[:6], np.resize(CLASSES, 6))  # imports, first allocations
    start, used = time.perf_counter(), time.process_time()
    for name in sorted(set(person))[:folds]:
        new_model(model).fit(X[person != name], y[person != name]).predict(X[person == name])
    wall, used = (time.perf_counter() - start) / folds, (time.process_time() - used) / folds
    print(f"{model}: {wall:.1f} s a fold, {used:.1f} s of processor time ({folds} folds measured)")
    print(
        f"  all {PEOPLE} folds, estimated: {wall * PEOPLE / 60:.0f} min on one core, {used * PEOPLE / 60:.0f} min of it"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", action="append", help="a name in mer.MODELS; may be given more than once")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--folds", type=int, help="measure this many folds and estimate the rest")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        flows = Path(temporary)
        samples = write_random_flows(flows)
        for name in arguments.model or ["svm-hoof", "svm-linear", "majority"]:
            if arguments.folds:
                time_folds(flows, samples, name, arguments.folds)
            else:
                time_all(flows, name, arguments.workers)
