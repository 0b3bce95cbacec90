"""Make the pictures of the README and the docs: `mer demo && python docs/pictures/make.py [DEMO]`.

All data are from the synthetic sample set of `mer demo`, except for the training curves and a made-up spotting curve.
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mer import plot
from mer.datasets.samples import read_samples
from mer.datasets.video import open_clip
from mer.extraction.methods import estimate_flow
from mer.face import align, crop, detect_faces, transform
from mer.flow import Flow

HERE = Path(__file__).parent
TRAINING = HERE.parent.parent / "benchmarks" / "decflow_training.csv"


def read_clip(demo: Path, subject: str, clip: str) -> tuple[np.ndarray, np.ndarray, Flow]:
    """Aligned onset and apex of a clip, and their flow by the default method."""
    row = read_samples(demo / "flows").set_index(["subject", "clip"]).loc[(subject, clip)]
    video = open_clip(demo / "videos" / subject / f"{clip}.mp4")
    frames = dict(video.frames([row["onset"], row["apex"]]))
    landmarks = detect_faces(frames[row["onset"]])[0].landmarks
    alignment = align(landmarks)
    onset, apex = (crop(frames[row[name]], alignment) for name in ("onset", "apex"))
    return onset, apex, estimate_flow(onset, apex, landmarks=transform(landmarks, alignment.matrix))


def flow_picture(onset: np.ndarray, apex: np.ndarray, flow: Flow) -> Figure:
    """Onset and apex next to the three components of their flow, with the color key."""
    gap = np.full((onset.shape[0], 14, 3), 255, np.uint8)
    figure, (left, right) = plt.subplots(1, 2, figsize=(13, 2.6), width_ratios=[2.0, 4.2], layout="constrained")
    left.imshow(np.hstack([onset, gap, apex]))
    side = onset.shape[1]
    for i, name in enumerate(("onset", "apex")):
        left.text(i * (side + 14) + side / 2, -7, name, ha="center", va="bottom")
    left.set_axis_off()
    plot.plot_flow(flow, ax=right)
    return figure


def field_pictures(onset: np.ndarray, flow: Flow) -> Figure:
    figure, axes = plt.subplots(1, 4, figsize=(13, 3.2), width_ratios=[1, 1, 1.2, 0.8], layout="constrained")
    plot.plot_field(flow.expression, arrows=True, ax=axes[0])
    plot.plot_arrows(onset, flow.expression, scale=4, ax=axes[1])
    plot.plot_strain(flow.expression, ax=axes[2])
    plot.plot_wheel(float(np.linalg.norm(flow.expression, axis=2).max()), ax=axes[3])
    _name(axes, ("plot_field", "plot_arrows", "plot_strain", "plot_wheel"), -0.04)
    return figure


def result_pictures(demo: Path) -> Figure:
    predictions = pd.read_csv(demo / "report" / "predictions.csv", keep_default_na=False)
    classes = sorted(set(predictions["label"]))
    counts = pd.crosstab(predictions["label"], predictions["prediction"]).reindex(
        classes, columns=classes, fill_value=0
    )
    figure, axes = plt.subplots(1, 2, figsize=(11, 3.6), layout="constrained")
    plot.plot_confusion(counts.to_numpy() / predictions["seed"].nunique(), classes, ax=axes[0])
    plot.plot_subjects(predictions, ax=axes[1])
    _name(axes, ("plot_confusion", "plot_subjects"))
    return figure


def curve_pictures() -> Figure:
    frame = np.arange(600)
    value = 0.3 + 0.05 * np.random.default_rng(0).random(600)  # made up
    value += 1.6 * np.exp(-(((frame - 150) / 9) ** 2)) + 2.2 * np.exp(-(((frame - 420) / 30) ** 4))
    value[250:290] = np.nan
    intervals = pd.DataFrame(
        {"onset": [136, 380], "apex": [150, 415], "offset": [163, 462], "kind": ["micro", "macro"]}
    )
    truth = pd.DataFrame({"onset": [134, 383], "offset": [166, 458]})
    curve = pd.DataFrame({"frame": frame, "strength": value})
    figure, axes = plt.subplots(1, 2, figsize=(13, 3.6), layout="constrained")
    plot.plot_spotting(curve, intervals, truth, column="strength", threshold=1, fps=60, ax=axes[0])
    plot.plot_training(TRAINING, ("expression",), relative=True, ax=axes[1])
    _name(axes, ("plot_spotting", "plot_training"))
    return figure


def _name(axes: np.ndarray, names: tuple[str, ...], y: float = -0.2) -> None:
    for ax, name in zip(axes, names):
        ax.text(0.5, y, name, transform=ax.transAxes, ha="center", va="top", family="monospace")


def save(figure: Figure, name: str) -> None:
    figure.savefig(HERE / name, dpi=100, bbox_inches="tight")


if __name__ == "__main__":
    demo = Path(sys.argv[1] if len(sys.argv) > 1 else "demo")
    onset, apex, flow = read_clip(demo, "p01", "pos_2")
    save(flow_picture(onset, apex, flow), "flow.png")
    save(field_pictures(onset, flow), "fields.png")
    save(result_pictures(demo), "results.png")
    save(curve_pictures(), "curves.png")
