"""Benefit of tuning DecFlow on emotion labels, end to end.

    python benchmarks/end_to_end.py --work end_to_end_benchmark --out benchmarks/end_to_end.csv

`mer synth --preset benchmark` renders people, and `mer extract-flow --pairs` stores their onsets and apexes. On the
same folds by person, the script evaluates `end-to-end` with a frozen flow network, tuned output layers, and all layers
tuned, and classifiers of the flow of the untuned network. **All people are synthetic**, and DecFlow was trained on
similar ones: the scores compare training methods and do not predict accuracy on real people.
"""

from __future__ import annotations

import argparse
import time
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from mer.evaluation.compare import compare
from mer.evaluation.evaluate_folder import evaluate
from mer.evaluation.protocols.protocol import read_protocol
from mer.extraction.extract import extract_flow
from mer.models import MODELS
from mer.synth import BenchmarkSettings, make_benchmark
from mer.utils.progress import track

TUNED = ("frozen", "last", "whole")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("end_to_end_benchmark"))
    parser.add_argument("--people", type=int, default=12)
    parser.add_argument("--clips", type=int, default=4, help="per person and class")
    parser.add_argument("--head-motion", type=float, default=2.0)
    parser.add_argument("--size", type=int, default=128, help="side of the crops, a multiple of 32")
    parser.add_argument("--folds", type=int, default=4, help="by person")
    parser.add_argument("--epochs", type=int, default=5, help="of joint training with the flow network")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--out", type=Path, help="write the rows to this CSV file")
    arguments = parser.parse_args()
    settings = BenchmarkSettings(
        people=arguments.people, clips=arguments.clips, head_motion=arguments.head_motion, seed=8, whole=False
    )
    videos = make_benchmark(arguments.work / "videos", settings, arguments.workers)
    flows = arguments.work / f"flows_{arguments.size}"
    extract_flow(videos, flows, size=arguments.size, pairs=True, workers=arguments.workers)
    (arguments.work / "folds.yaml").write_text(
        f"title: Folds by person\nsource: this benchmark\nsplit: {{folds: {arguments.folds}}}\n"
    )
    protocol = read_protocol(arguments.work / "folds.yaml")

    models: dict[str, Any] = {"svm-hoof": "svm-hoof", "symnet": "symnet"}
    for tuned in TUNED:
        options = {"tuned": tuned, "tuning_epochs": arguments.epochs, "device": arguments.device}
        models[f"end-to-end, {tuned}"] = partial(MODELS["end-to-end"], **options)
    rows, results = [], {}
    for name, model in models.items():
        start = time.process_time()
        result = evaluate(flows, protocol, model, seeds=arguments.seeds, workers=arguments.workers, track=track)
        results[name] = result
        row = {"model": name, "seconds_a_fold": (time.process_time() - start) / (arguments.folds * arguments.seeds)}
        for score in ("uf1", "accuracy"):
            row[score] = result.scores[score]
            row[f"{score}_low"], row[f"{score}_high"] = result.scores[f"{score}_interval"]
        frozen = results.get(f"end-to-end, {TUNED[0]}")
        if frozen is not None and frozen is not result:
            paired = compare(result, frozen).rows.set_index(["part", "score"]).loc[("all", "uf1")]
            row |= {"ahead_of_frozen": paired["difference"], "low": paired["low"], "high": paired["high"]}
        rows.append(row)
        print(pd.DataFrame(rows[-1:]).round(3).to_string(index=False), flush=True)
    table = pd.DataFrame(rows)
    print(f"\n{arguments.people} people (synthetic), {arguments.folds} folds by person\n")
    print(table.round(3).to_string(index=False))
    if arguments.out:
        table.to_csv(arguments.out, index=False, lineterminator="\n", float_format="%.4f")


if __name__ == "__main__":
    main()
