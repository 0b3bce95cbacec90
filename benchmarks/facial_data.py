"""Does training on faces improve any flow network? A claim of the FacialFlowNet paper, tested at a small budget.

    python benchmarks/facial_data.py --faces FACES --data d/ict_m1 d/mh_m2 --out benchmarks/facial_data.csv

Networks with one field, the facial flow, are trained from scratch on generic motion (`--data generic`: random textures
under smooth and affine fields). Training then continues for the same number of steps on more generic motion, and, in a
second branch, on faces (rendered ones and warped photographs); all by `mer.decflow.train`, with the same settings.
Networks:

one-field
    The lite network without semantic prior, trained with the facial term of the loss only. It starts from DIS.
raft-small
    Torchvision's RAFT, from scratch; it needs thousands of steps.

Facial endpoint errors, px, on `test` people: on rendered pairs of `--data`, and on the warped photographs of
`benchmarks/flow_warped.py`. All data is synthetic, and the budget is far below that of a published network, but the
same for both branches.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import flow_warped
import numpy as np
import pandas as pd
import torch

from mer.decflow.config import Config
from mer.decflow.data.pairs import Pair, to_tensors
from mer.decflow.data.warped_photos import read_photos
from mer.decflow.lite import LiteDecFlow, LiteSizes
from mer.decflow.networks import NETWORKS, build, predict
from mer.decflow.train import train
from mer.synth import read_facialflownet

Pairs = list[Pair]

NETWORKS["one-field"] = lambda: LiteDecFlow(LiteSizes(prior=False))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=Path, required=True)
    parser.add_argument("--data", nargs="+", required=True, help="folders rendered by `mer synth`")
    parser.add_argument("--work", type=Path, default=Path("facial_data"))
    parser.add_argument("--networks", nargs="+", default=["one-field", "raft-small"])
    parser.add_argument("--before", type=int, default=240, help="steps on generic motion")
    parser.add_argument("--after", type=int, default=120, help="steps of each branch")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    sets = {"rendered": rendered(options.data), "warped": warped(options.faces)}
    faces = [*map(str, options.data), str(options.faces)]
    rows = []
    for name in options.networks:
        first = train_stage(options, name, "generic", ["generic"], options.before, "")
        for part, data in (("generic, then generic", ["generic"]), ("generic, then faces", faces)):
            weights = train_stage(
                options, name, part.replace(", ", "_").replace(" ", "_"), data, options.after, str(first)
            )
            rows += scores(name, part, weights, sets)
        rows += scores(name, "generic", first, sets)
    still = {"network": "no motion", "trained on": ""}
    rows.append({**still, **{k: np.mean([error(0 * p.facial, p) for p in pairs]) for k, pairs in sets.items()}})
    table = pd.DataFrame(rows)
    print(table.round(3).to_string(index=False))
    if options.out:
        table.to_csv(options.out, index=False, lineterminator="\n", float_format="%.4f")


def train_stage(options: argparse.Namespace, name: str, part: str, data: list[str], steps: int, init: str) -> Path:
    """Weights of a network after a stage; completed stages are not run again."""
    out = options.work / name / part
    raft = name.startswith("raft")
    config = Config(
        data=data, out=str(out), network=name, init=[init] if init else [], steps=steps, batch=4, size=options.size,
        iterations=6 if raft else 2, power=1.0 if raft else 0.7, lr=4e-4 if raft else 1e-3,
        head=0.0, expression=0.0, resume=True, val_pairs=8, val_every=steps, workers=1,
    )  # fmt: skip
    train(config)
    return out / "weights.safetensors"


def rendered(folders: list[str], most: int = 60) -> Pairs:
    pairs = []
    for folder in folders:
        files = read_facialflownet(folder, "test")
        for file in files[:: max(1, len(files) * len(folders) // most)]:
            onset, apex, flow = file.load()
            pairs.append(Pair(onset, apex, flow.facial, flow.head, flow.mask, file.landmarks()))
    return pairs


def warped(faces: Path, people: int = 6) -> Pairs:
    photos = read_photos(sorted(p.parent for p in faces.glob("*/landmarks478.json")), "test")
    pairs = []
    for n in np.linspace(0, len(photos) - 1, people).round().astype(int):
        for case in flow_warped.warped_pairs(photos[n].file, photos[n].landmarks.astype(float), [81, int(n)]):
            facial, landmarks = case["head"] + case["expression"], case["landmarks"].astype(np.float32)
            pairs.append(Pair(*case["frames"], facial, case["head"], case["mask"], landmarks))
    return pairs


@torch.no_grad()
def scores(name: str, part: str, weights: Path, sets: dict[str, Pairs]) -> list[dict]:
    from safetensors.torch import load_file

    network = build(name)
    network.load_state_dict(load_file(weights))
    network.eval()
    row: dict = {"network": name, "trained on": part}
    for kind, pairs in sets.items():
        errors = []
        for pair in pairs:
            batch = {key: value[None] for key, value in to_tensors(pair, pair.landmarks).items()}
            facial = predict(network, batch, 6 if name.startswith("raft") else 2)[-1][0]
            errors.append(error(facial[0].permute(1, 2, 0).numpy(), pair))
        row[kind] = float(np.mean(errors))
    return [row]


def error(facial: np.ndarray, pair: Pair) -> float:
    return float(np.linalg.norm(facial - pair.facial, axis=-1)[pair.mask > 0].mean())


if __name__ == "__main__":
    main()
