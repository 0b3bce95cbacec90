"""Does expression flow help a classifier? The question of the DecFlow paper, on rendered people.

    python benchmarks/recognition.py --work recognition_benchmark --head-motion 0 1 2 --out benchmarks/recognition.csv

For each strength of head motion, `mer synth --preset benchmark` renders people, and the same classifier is evaluated on
the same folds (leave-one-subject-out) with

- facial flow of each method;
- facial flow of each method between frames stabilized by their landmarks;
- expression flow of each method: facial flow minus head flow.

The first row of each table is the best facial flow. The other rows have the difference to it, its 95 % interval over
people and the p-value of a permutation test (`mer compare`). **The people are synthetic**: the scores compare flow
methods, but do not predict accuracy on people. An interrupted run resumes.
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
    parser.add_argument("--clips", type=int, default=6, help="per person and class")
    parser.add_argument("--methods", nargs="+", default=["decflow", "dis", "tvl1", "farneback"])
    parser.add_argument("--stabilize", nargs="*", help="methods to run on stabilized frames, too; default: all")
    parser.add_argument("--model", default="svm-hoof")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--out", type=Path, help="write the rows to this CSV file")
    arguments = parser.parse_args()
    tables = []
    for head_motion in arguments.head_motion:
        settings = BenchmarkSettings(
            people=arguments.people, clips=arguments.clips, head_motion=head_motion, seed=arguments.seed, whole=False
        )
        work = arguments.work / f"head_motion_{head_motion:g}"
        videos = make_benchmark(work / "videos", settings, arguments.workers)
        table = compared(evaluate_flows(videos, work, arguments))
        print(f"\nhead motion {head_motion:g}: {arguments.people} people (synthetic), {arguments.model}\n")
        print(table.round(3).to_string(index=False), flush=True)
        tables.append(table.assign(head_motion=head_motion, model=arguments.model))
    if arguments.out:
        pd.concat(tables).to_csv(arguments.out, index=False, lineterminator="\n", float_format="%.4f")


def evaluate_flows(videos: Path, work: Path, arguments: argparse.Namespace) -> dict[tuple[str, str], Result]:
    """(flow, method) -> result of the classifier."""
    results = {}
    for method in arguments.methods:
        both = arguments.stabilize is None or method in arguments.stabilize
        for stabilize in (False, True)[: 1 + both]:
            flows = work / f"{method}{'_stabilized' if stabilize else ''}"
            extract_flow(videos, flows, method=method, stabilize=stabilize, workers=arguments.workers)
            for component in ("facial",) if stabilize else ("facial", "expression"):
                result = evaluate(flows, model=arguments.model, component=component, workers=arguments.workers)
                results["stabilized facial" if stabilize else component, method] = result
    return results


def compared(results: dict[tuple[str, str], Result]) -> pd.DataFrame:
    """Scores of all flows with intervals, and the difference in accuracy from the best facial flow."""
    raw = {key: result for key, result in results.items() if key[0] == "facial"}
    best = max(raw, key=lambda key: raw[key].scores["accuracy"])
    rows = []
    for key in sorted(results, key=lambda key: (key != best, key)):
        scores = results[key].scores
        row = {"flow": key[0], "method": key[1]}
        for name in ("uf1", "uar", "accuracy"):
            row[name] = scores[name]
            row[f"{name}_low"], row[f"{name}_high"] = scores[f"{name}_interval"]
        if key != best:
            paired = compare(results[key], results[best]).rows.set_index(["part", "score"]).loc[("all", "accuracy")]
            row |= {"ahead": paired["difference"], "low": paired["low"], "high": paired["high"], "p": paired["p"]}
        rows.append(row)
    return pd.DataFrame(rows)


if __name__ == "__main__":
    main()
