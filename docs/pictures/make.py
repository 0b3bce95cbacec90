"""Make the pictures of the README and the docs: `mer demo && python docs/pictures/make.py`.

Everything shown is from the synthetic sample set of `mer demo`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from mer.face import align, crop, detect_faces
from mer.flow import load_flow
from mer.plot import plot_flow
from mer.samples import read_samples
from mer.video import open_clip

HERE = Path(__file__).parent


def flow_picture(demo: Path, subject: str, clip: str) -> None:
    """Onset and apex beside the flow's three parts, with the key to the colors."""
    table = read_samples(demo / "flows").set_index(["subject", "clip"])
    row = table.loc[(subject, clip)]
    video = open_clip(demo / "videos" / subject / f"{clip}.mp4")
    onset, apex = (image for _, image in video.frames([row["onset"], row["apex"]]))
    alignment = align(detect_faces(onset)[0].landmarks)
    faces = [crop(image, alignment) for image in (onset, apex)]
    gap = np.full((faces[0].shape[0], 14, 3), 255, np.uint8)
    figure, (left, right) = plt.subplots(1, 2, figsize=(13, 2.6), width_ratios=[2.0, 4.2], layout="constrained")
    left.imshow(np.hstack([faces[0], gap, faces[1]]))
    side = faces[0].shape[1]
    for i, name in enumerate(("onset", "apex")):
        left.text(i * (side + 14) + side / 2, -7, name, ha="center", va="bottom")
    left.set_axis_off()
    plot_flow(load_flow(demo / "flows" / row["path"]), ax=right)
    figure.savefig(HERE / "flow.png", dpi=100)


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path("demo")
    flow_picture(folder, *(sys.argv[2:4] or ("p01", "pos_2")))
