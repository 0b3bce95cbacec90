"""A small flow folder with drawn fields, whose classes can be told apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from mer.datasets.samples import conform, write_samples
from mer.flow import Flow, save_flow

# Where the skin moves, and in which direction, in parts of the image: mouth corners up and out, brows up, brows down.
MOTION = {
    "happiness": (((0.3, 0.7), (-1, -1)), ((0.7, 0.7), (1, -1))),
    "surprise": (((0.3, 0.3), (0, -1)), ((0.7, 0.3), (0, -1))),
    "disgust": (((0.4, 0.3), (0.5, 1)), ((0.6, 0.3), (-0.5, 1))),
}


def drawn_field(label: str, rng: np.random.Generator, size: int = 24, noise: float = 0.2) -> np.ndarray:
    """`(size, size, 2)` float32, pixels: the motion of one class, at a random strength, with noise."""
    y, x = np.mgrid[:size, :size] / size
    field = np.zeros((size, size, 2))
    for (px, py), vector in MOTION[label]:
        bump = np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * 0.1**2))
        field += bump[..., None] * np.array(vector) * rng.uniform(0.6, 1.4)
    return (field + rng.normal(0, noise, field.shape)).astype(np.float32)


def write_drawn_flows(
    folder: Path,
    people: int = 6,
    clips: int = 6,
    seed: int = 0,
    shuffled: bool = False,
    dataset: str = "videos",
    **kind: float,
) -> pd.DataFrame:
    """Write a flow folder of `people` x `clips` clips and return its table; `shuffled` labels tell nothing."""
    rng = np.random.default_rng(seed)
    rows = []
    for person in range(people):
        offset = rng.normal(0, 0.2, 2)  # each person has a motion of its own
        for clip in range(clips):
            label = list(MOTION)[clip % len(MOTION)]
            path = f"{dataset}/s{person:02}/c{clip:02}_0.npz"
            field = drawn_field(label, rng, **kind) + offset.astype(np.float32)
            save_flow(folder / path, Flow.split(field, np.zeros_like(field)))
            rows.append(
                {"dataset": dataset, "subject": f"s{person:02}", "clip": f"c{clip:02}", "onset": 0, "apex": 9}
                | {"apex_source": "label", "label": label, "status": "ok", "scale": 12.0, "path": path}
            )
    table = conform(pd.DataFrame(rows))
    if shuffled:
        table["label"] = rng.permutation(table["label"].to_numpy())
    write_samples(table, folder / "samples.csv")
    return table
