"""Does training on faces help any flow network? The other question of the FacialFlowNet paper, at a small budget.

    python benchmarks/facial_data.py --faces FACES --data d/ict_m1 d/mh_m2 --out benchmarks/facial_data.csv

Two networks with one field, RAFT-small of torchvision and a small FlowNet (Dosovitskiy et al., ICCV 2015), are trained
from nothing on generic motion (`--data generic`: random textures under smooth and affine fields). From there each goes
on for the same number of steps twice: on more generic motion, and on faces (rendered ones and warped photographs). All
by `mer.decflow.train`, with the same settings. Facial end-point errors, px, on test people of both kinds:

rendered
    pairs of `--data` folders, `test` people.
warped
    photographs of `benchmarks/flow_warped.py`, `test` people.

All of it is synthetic. The budget is far below that of a published network, and the same on both sides.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import flow_warped
import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mer.decflow.networks import NETWORKS, build, predict
from mer.decflow.settings import Config
from mer.decflow.train import train
from mer.decflow.warped import read_photos
from mer.synth import read_facialflownet

Pairs = list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]  # onset, apex, facial flow, mask


class SmallFlowNet(nn.Module):
    """Both frames, one on the other, down to the 1/32 grid and up to the 1/4 grid (FlowNetSimple, but narrow)."""

    inputs = ("onset", "apex")

    def __init__(self, widths: tuple[int, ...] = (32, 48, 64, 96, 128)) -> None:
        super().__init__()
        self.down = nn.ModuleList(
            nn.Sequential(nn.Conv2d(a, b, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(b, b, 3, padding=1), nn.ReLU())
            for a, b in zip((6, *widths), widths)
        )
        self.up = nn.ModuleList(nn.Conv2d(a + b, b, 3, padding=1) for a, b in zip(widths[:1:-1], widths[-2:0:-1]))
        self.field = nn.Conv2d(widths[1], 2, 3, padding=1)

    def forward(
        self, onset: Tensor, apex: Tensor, iterations: int | None = None, *, all_iterates: bool = False
    ) -> list[tuple[Tensor, Tensor]]:
        x, seen = torch.cat([onset, apex], dim=1) / 127.5 - 1, []
        for block in self.down:
            x = block(x)
            seen.append(x)
        for block, skip in zip(self.up, seen[-2:0:-1]):
            x = F.relu(block(torch.cat([F.interpolate(x, scale_factor=2.0), skip], dim=1)))
        field = F.interpolate(self.field(x), onset.shape[-2:], mode="bilinear", align_corners=False)
        return [(field, torch.zeros_like(field))]


NETWORKS["small-flownet"] = SmallFlowNet


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=Path, required=True)
    parser.add_argument("--data", nargs="+", required=True, help="folders rendered by `mer synth`")
    parser.add_argument("--work", type=Path, default=Path("facial_data"))
    parser.add_argument("--networks", nargs="+", default=["small-flownet", "raft-small"])
    parser.add_argument("--before", type=int, default=400, help="steps on generic motion")
    parser.add_argument("--after", type=int, default=200, help="steps on each side")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    cv2.setNumThreads(1)
    sets = {"rendered": rendered(given.data), "warped": warped(given.faces)}
    faces = [*map(str, given.data), str(given.faces)]
    rows = []
    for name in given.networks:
        first = fitted(given, name, "generic", ["generic"], given.before, "")
        for part, data in (("generic, then generic", ["generic"]), ("generic, then faces", faces)):
            weights = fitted(given, name, part.replace(", ", "_").replace(" ", "_"), data, given.after, str(first))
            rows += scores(name, part, weights, sets)
        rows += scores(name, "generic", first, sets)
    still = {"network": "no motion", "trained on": ""}
    rows.append({**still, **{k: np.mean([error(0 * f, f, m) for _, _, f, m in pairs]) for k, pairs in sets.items()}})
    table = pd.DataFrame(rows)
    print(table.round(3).to_string(index=False))
    if given.out:
        table.to_csv(given.out, index=False, lineterminator="\n", float_format="%.4f")


def fitted(given: argparse.Namespace, name: str, part: str, data: list[str], steps: int, init: str) -> Path:
    """Weights of a network after a stage; a stage that is done is not run again."""
    out = given.work / name / part
    raft = name.startswith("raft")
    config = Config(
        data=data, out=str(out), network=name, init=init, steps=steps, batch=4, size=given.size,
        iterations=6 if raft else 1, lr=4e-4 if raft else 1e-3, head=0.0, expression=0.0, resume=True,
        val_pairs=8, val_every=steps, workers=1,
    )  # fmt: skip
    train(config)
    return out / "weights.safetensors"


def rendered(folders: list[str], most: int = 60) -> Pairs:
    pairs: Pairs = []
    for folder in folders:
        files = read_facialflownet(folder, "test")
        for file in files[:: max(1, len(files) * len(folders) // most)]:
            onset, apex, flow = file.load()
            pairs.append((onset, apex, flow.facial, flow.mask))
    return pairs


def warped(faces: Path, people: int = 6) -> Pairs:
    photos = read_photos(sorted(p.parent for p in faces.glob("*/landmarks478.json")), "test")
    pairs: Pairs = []
    for n in np.linspace(0, len(photos) - 1, people).round().astype(int):
        for pair in flow_warped.warped_pairs(photos[n].file, photos[n].landmarks.astype(float), [81, int(n)]):
            pairs.append((*pair["frames"], pair["head"] + pair["expression"], pair["mask"]))
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
        for onset, apex, flow, mask in pairs:
            height, width = (n // 32 * 32 for n in mask.shape)
            frames = {
                key: torch.from_numpy(np.ascontiguousarray(image[:height, :width].transpose(2, 0, 1), np.float32))[None]
                for key, image in (("onset", onset), ("apex", apex))
            }
            found = predict(network, frames, 6)[-1][0][0].permute(1, 2, 0).numpy()
            errors.append(error(found, flow[:height, :width], mask[:height, :width]))
        row[kind] = float(np.mean(errors))
    return [row]


def error(found: np.ndarray, truth: np.ndarray, mask: np.ndarray) -> float:
    return float(np.linalg.norm(found - truth, axis=-1)[mask > 0].mean())


if __name__ == "__main__":
    main()
