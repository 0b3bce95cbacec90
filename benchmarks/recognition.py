"""Does expression flow help a classifier? The question of the DecFlow paper, asked of rendered people.

    python benchmarks/recognition.py --work recognition_benchmark --head-motion 0 1 2 --out benchmarks/recognition.csv

For each setting of the head-motion dial, `mer synth --preset benchmark` renders people, and the same classifier is
tested on the same folds (leave one subject out) with

- facial flow of each method, as it comes;
- facial flow of each method between frames stabilized by their own landmarks;
- expression flow of each method: facial flow less the head flow.

The first row of each table is the best facial flow; the difference to it comes with its 95 % interval over people and a
permutation p-value (`mer compare`). **The people are synthetic**: the numbers tell flows apart, and say nothing about
accuracy on people. A run can be stopped and goes on where it was.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

from mer.evaluation.compare import compare
from mer.evaluation.evaluate_folder import evaluate
from mer.evaluation.result import Result
from mer.extraction.extract import extract_flow
from mer.synth import BenchmarkSettings, make_benchmark


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("recognition_benchmark"))
    parser.add_argument("--head-motion", type=float, nargs="+", default=[0.0, 1.0, 2.0])
    parser.add_argument("--people", type=int, default=24)
    parser.add_argument("--clips", type=int, default=6, help="of each person and class")
    parser.add_argument("--methods", nargs="+", default=["decflow", "dis", "tvl1", "farneback"])
    parser.add_argument("--stabilize", nargs="*", help="methods between stabilized frames too; all where not given")
    parser.add_argument("--model", default="svm-hoof")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--out", type=Path, help="write the rows to this CSV file")
    given = parser.parse_args()
    tables = []
    for head_motion in given.head_motion:
        settings = BenchmarkSettings(
            people=given.people, clips=given.clips, head_motion=head_motion, seed=given.seed, whole=False
        )
        work = given.work / f"head_motion_{head_motion:g}"
        videos = make_benchmark(work / "videos", settings, given.workers)
        table = compared(results(videos, work, given))
        print(f"\nhead motion {head_motion:g}: {given.people} people (synthetic), {given.model}\n")
        print(table.round(3).to_string(index=False), flush=True)
        tables.append(table.assign(head_motion=head_motion, model=given.model))
    if given.out:
        pd.concat(tables).to_csv(given.out, index=False, lineterminator="\n", float_format="%.4f")


def results(videos: Path, work: Path, given: argparse.Namespace) -> dict[tuple[str, str], Result]:
    """(flow, method) -> what the classifier did with it."""
    found = {}
    for method in given.methods:
        both = given.stabilize is None or method in given.stabilize
        for stabilize in (False, True)[: 1 + both]:
            flows = work / f"{method}{'_stabilized' if stabilize else ''}"
            extract_flow(videos, flows, method=method, stabilize=stabilize, workers=given.workers)
            for component in ("facial",) if stabilize else ("facial", "expression"):
                result = evaluate(flows, model=given.model, component=component, workers=given.workers)
                found["stabilized facial" if stabilize else component, method] = result
    return found


def compared(found: dict[tuple[str, str], Result]) -> pd.DataFrame:
    """Scores of every flow with their intervals, and the difference in accuracy to the best raw facial flow."""
    raw = {key: result for key, result in found.items() if key[0] == "facial"}
    best = max(raw, key=lambda key: raw[key].scores["accuracy"])
    rows = []
    for key in sorted(found, key=lambda key: (key != best, key)):
        scores = found[key].scores
        row = {"flow": key[0], "method": key[1]}
        for name in ("uf1", "uar", "accuracy"):
            row[name] = scores[name]
            row[f"{name}_low"], row[f"{name}_high"] = scores[f"{name}_interval"]
        if key != best:
            paired = compare(found[key], found[best]).rows.set_index(["part", "score"]).loc[("all", "accuracy")]
            row |= {"ahead": paired["difference"], "low": paired["low"], "high": paired["high"], "p": paired["p"]}
        rows.append(row)
    return pd.DataFrame(rows)


if __name__ == "__main__":
    main()
