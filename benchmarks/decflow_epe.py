"""Endpoint errors of DecFlow and of the classical methods on unseen people, pairs made on the fly.

    python benchmarks/decflow_epe.py --data FACES --weights run/weights.safetensors --pairs 60

FACES as for `python -m mer.decflow.train --data`: photographs, which are warped, or `render:MODEL...`. Default: `val`
people; keep `test` for the final result. Classical methods get head flow by `mer.flow.fit_head_flow`. All methods get
the same landmarks, with a detector's error.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from mer.decflow.data.sources import open_source, simulate_detection
from mer.decflow.methods import decflow
from mer.evaluation.flow_error import COLUMNS, NO_EXPRESSION, expression_size, flow_errors, summarize
from mer.extraction.methods import estimate_flow
from mer.flow import Flow


def compare(
    data: str, split: str, pairs: int, size: int, seed: int, methods: list[str], weights: str | None
) -> pd.DataFrame:
    """Rows like those of `mer.evaluation.flow_error.evaluate_flow`."""
    source = open_source(data, split)
    functions = {name: partial(estimate_flow, method=name) for name in methods}
    if weights:
        functions["decflow"] = partial(decflow, weights=weights)
    rows = []
    for n in range(pairs):
        rng = np.random.default_rng([seed, n])
        pair = source(rng, size)
        truth = Flow.split(pair.facial, pair.head, pair.mask)
        landmarks = simulate_detection(pair, rng)
        for name, function in functions.items():
            flow = function(pair.onset, pair.apex, landmarks=landmarks)
            rows += [{"pair": n, "method": name, **row} for row in flow_errors(flow, truth)]
        rows += [{"pair": n, "method": NO_EXPRESSION, **row} for row in expression_size(truth)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--split", default="val", choices=["val", "test"])
    parser.add_argument("--pairs", type=int, default=60)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--seed", type=int, default=4)
    parser.add_argument("--methods", nargs="*", default=["dis", "tvl1", "farneback"])
    parser.add_argument("--weights")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    rows = compare(
        options.data, options.split, options.pairs, options.size, options.seed, options.methods, options.weights
    )
    table = summarize(rows)
    face = table[table["part"] == "face"].pivot(index="method", columns="component", values="epe")
    print(face[["facial", "head", "expression"]].round(4).to_string())
    bands = table[(table["component"] == "expression") & ~table["part"].isin(["face", "upstream"])]
    print("\nexpression, by size of the true motion\n")
    print(bands.pivot(index="method", columns="part", values="epe").round(3).to_string())
    if options.out:
        table.to_csv(options.out, index=False, lineterminator="\n")


if __name__ == "__main__":
    main()
