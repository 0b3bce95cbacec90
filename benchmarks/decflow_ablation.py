"""Effect of each part of the lite network and of its training, at equal budgets from scratch.

    python benchmarks/decflow_ablation.py --faces FACES --micro d/ict_m1 d/mh_m2 --ffn d/mh_ffn --out table.csv

Each row is one change to the first: `--steps` steps of four pairs with the same seed, then endpoint errors, px, on
rendered `micro` pairs (of `--micro`) and on warped photographs (`mer.decflow.data.warped_photos`), both of `val`
people. All data is synthetic. The budgets are small: they show the effect early in training, not after a long one.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import torch

from mer.decflow.config import Config
from mer.decflow.data.sources import Batches, open_source
from mer.decflow.lite import LiteDecFlow, LiteSizes
from mer.decflow.losses import Loss, sequence_loss
from mer.decflow.networks import NETWORKS, build, predict
from mer.decflow.train import train

NETWORKS["lite-no-prior"] = lambda: LiteDecFlow(LiteSizes(prior=False))

CHANGES: dict[str, dict[str, Any]] = {
    "as shipped": {},
    "no semantic prior": {"network": "lite-no-prior"},
    "no expression term in the loss": {"expression": 0.0},
    "large motion (ffn) for micro data": {"data": "ffn"},
    "no photographs": {"data": "micro"},
    "1 iteration": {"iterations": 1},
    "3 iterations": {"iterations": 3},
    "96 px": {"size": 96},
    "160 px": {"size": 160},
    "power 1 in the loss, not 0.7": {"power": 1.0},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", required=True)
    parser.add_argument("--micro", nargs="+", required=True)
    parser.add_argument("--ffn", nargs="+", required=True)
    parser.add_argument("--work", type=Path, default=Path("decflow_ablation"))
    parser.add_argument("--steps", type=int, default=250)
    parser.add_argument("--pairs", type=int, default=60, help="pairs per test set")
    parser.add_argument("--changes", nargs="+", default=list(CHANGES), choices=CHANGES)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    folders = {
        "all": [options.faces, *options.micro],
        "micro": options.micro,
        "ffn": [options.faces, *options.ffn],
    }
    sets = {
        "micro": Batches([open_source(path, "val") for path in options.micro], 224, seed=5),
        "warped": Batches([open_source(options.faces, "val")], 224, seed=5),
    }
    rows = []
    for name in options.changes:
        change = dict(CHANGES[name])
        data = folders[change.pop("data", "all")]
        out = options.work / name.replace(" ", "_")
        settings = {"network": "lite", "iterations": 2, "power": 0.7, "size": 128, **change}
        config = Config(
            data=data, out=str(out), steps=options.steps, batch=4, lr=1e-3, ema=0.98, resume=True, val_pairs=1,
            val_every=options.steps, workers=1, **settings,
        )  # fmt: skip
        train(config)
        row = {"change": name}
        for kind, pairs in sets.items():
            row |= {f"{kind} {part}": value for part, value in mean_errors(config, out, pairs, options.pairs).items()}
        rows.append(row)
        print(pd.DataFrame(rows).round(3).to_string(index=False), flush=True)
    if options.out:
        pd.DataFrame(rows).to_csv(options.out, index=False, lineterminator="\n", float_format="%.4f")


@torch.no_grad()
def mean_errors(config: Config, out: Path, pairs: Batches, count: int) -> dict[str, float]:
    from safetensors.torch import load_file

    network = build(config.network)
    network.load_state_dict(load_file(out / "weights.safetensors"))
    network.eval()
    errors: dict[str, list[float]] = {"facial": [], "head": [], "expression": [], "none": []}
    for n in range(count):
        batch = {name: value[None] for name, value in pairs[n].items()}
        _, epe = sequence_loss(predict(network, batch, config.iterations), batch, Loss())
        for part, values in errors.items():
            values.append(float(epe[part]))
    return {part: float(np.mean(values)) for part, values in errors.items()}


if __name__ == "__main__":
    main()
