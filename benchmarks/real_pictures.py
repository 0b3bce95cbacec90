"""Flow on real images, whose true flow is unknown: does it explain the second frame, and do the landmarks agree?

    python benchmarks/real_pictures.py --videos VIDEOS --faces FACES --out benchmarks/real_pictures.csv --pictures DIR

Pairs of frames: the growing smile of `single_face.mp4`, relative to its first frame; speakers of the GRID corpus, three
frames (0.12 s) apart; `test` people of the London set, neutral and smiling. The second frame is cropped like the first.

photometric
    Mean difference of gray levels in the face between the first frame and the second, pulled back along the facial
    flow; `before`: without flow. Slow changes of brightness are removed from both.
landmarks
    Mean distance, px of the 224 px crop, between the facial flow at the 468 landmarks and their detected motion;
    `before`: their detected motion. The detector's own error is about half a pixel.
head
    The same for the head flow at landmarks that an expression hardly moves: upper forehead, temples, inner and outer
    eye corners, bridge of the nose.

`--pictures` writes both frames beside the three flows of `decflow` for each pair. They show real people: check what
they have consented to before you publish them.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from flow_smiles import RESTING

from mer.datasets.person_split import person_of
from mer.datasets.video import open_clip, read_image
from mer.decflow.data.warped_photos import read_photos
from mer.extraction.methods import METHODS, estimate_flow, method_status
from mer.face import align, crop, detect_faces, transform
from mer.flow import Flow

Case = tuple[str, np.ndarray, np.ndarray, np.ndarray, np.ndarray]  # name, two crops, landmarks of both


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=Path, required=True)
    parser.add_argument("--faces", type=Path, required=True)
    parser.add_argument("--methods", nargs="+", default=[m for m in METHODS if not method_status(m)])
    parser.add_argument("--out", type=Path)
    parser.add_argument("--pictures", type=Path)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    sources = {
        "smile (video)": frames(options.videos / "single_face.mp4", [(0, k) for k in (15, 18, 21, 24, 27)]),
        "speech (GRID)": (
            case
            for path in sorted(options.videos.glob("grid_*"))
            for case in frames(path, [(k, k + 3) for k in SPEECH])
        ),
        "neutral to smiling (London)": london(options.faces),
    }
    rows = []
    for source, cases in sources.items():
        for case in cases:
            rows += [{"source": source, **row} for row in measure(case, options.methods)]
            if options.pictures:
                draw(case, options.pictures)
    table = pd.DataFrame(rows)
    means = table.groupby(["source", "method"], sort=False).mean(numeric_only=True)
    means.insert(0, "pairs", table.groupby(["source", "method"], sort=False).size())
    print(means.round(2).to_string())
    if options.out:
        means.to_csv(options.out, lineterminator="\n", float_format="%.3f")


SPEECH = (15, 25, 35, 45, 55)  # first frames, of 75


def frames(path: Path, pairs: list[tuple[int, int]]) -> Iterator[Case]:
    clip = open_clip(path)
    pictures = dict(clip.frames(sorted({n for pair in pairs for n in pair})))
    for first, second in pairs:
        yield from case(f"{path.stem} {first} {second}", pictures[first], pictures[second])


def london(faces: Path) -> Iterator[Case]:
    neutral = {person_of(p.file.name): p.file for p in read_photos([faces / "london_neutral"], "test")}
    smiling = {person_of(p.file.name): p.file for p in read_photos([faces / "london_smiling"], "test")}
    for name in sorted(neutral.keys() & smiling.keys()):
        yield from case(f"london {name}", read_image(neutral[name]), read_image(smiling[name]))


def case(name: str, first: np.ndarray, second: np.ndarray) -> Iterator[Case]:
    detections = [detect_faces(image) for image in (first, second)]
    if not all(detections):
        print(f"{name}: no face found")
        return
    alignment = align(detections[0][0].landmarks)
    points = [transform(faces[0].landmarks, alignment.matrix) for faces in detections]
    yield name, crop(first, alignment), crop(second, alignment), points[0], points[1]


def measure(case: Case, methods: list[str]) -> Iterator[dict]:
    _, onset, apex, before, after = case
    moved = (after - before)[:468, :2]
    for name in methods:
        flow = estimate_flow(onset, apex, name, landmarks=before)
        yield {
            "method": name,
            "photometric": photometric(onset, apex, flow, flow.facial),
            "landmarks": np.linalg.norm(at(flow.facial, before) - moved, axis=1).mean(),
            "head": np.linalg.norm((at(flow.head, before) - moved)[RESTING], axis=1).mean(),
        }
    yield {
        "method": "before",
        "photometric": photometric(onset, apex, flow, 0 * flow.facial),
        "landmarks": np.linalg.norm(moved, axis=1).mean(),
        "head": np.linalg.norm(moved[RESTING], axis=1).mean(),
    }


def photometric(onset: np.ndarray, apex: np.ndarray, flow: Flow, field: np.ndarray) -> float:
    height, width = onset.shape[:2]
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    gray = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32) for image in (onset, apex)]
    back = cv2.remap(gray[1], x + field[..., 0], y + field[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    sharp = [image - cv2.GaussianBlur(image, (0, 0), 12) for image in (gray[0], back)]
    return float(np.abs(sharp[1] - sharp[0])[flow.mask > 0].mean())


def at(field: np.ndarray, points: np.ndarray) -> np.ndarray:
    """The field at landmarks `(468, 2)`, bilinear."""
    x, y = np.ascontiguousarray(points[:468, :2].T, np.float32)[:, None]
    return cv2.remap(field, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[0]


def draw(case: Case, folder: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    from mer.report.figures import plot_flow

    name, onset, apex, before, _ = case
    figure, (left, right) = plt.subplots(1, 2, figsize=(13, 2.6), width_ratios=[2.0, 4.2], layout="constrained")
    left.imshow(np.hstack([onset, apex]))
    left.set_axis_off()
    left.set_title(name)
    plot_flow(estimate_flow(onset, apex, landmarks=before), ax=right)
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / f"{name.replace(' ', '_')}.png", dpi=80)
    plt.close(figure)


if __name__ == "__main__":
    main()
