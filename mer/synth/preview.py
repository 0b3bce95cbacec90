"""Figures of a rendered dataset: a contact sheet of pairs with their flow, and statistics."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mer.face.canonical import canonical_landmarks
from mer.face.regions import STABLE
from mer.flow.facialflownet import SPLITS, PairFiles, read_facialflownet, read_records
from mer.synth.fit import similarity
from mer.utils.atomic_files import write_whole


def flow_picture(field: np.ndarray, largest: float) -> np.ndarray:
    """Flow as color, uint8 (H, W, 3): hue shows direction, saturation shows length, full at `largest` pixels."""
    length = np.linalg.norm(field, axis=-1)
    hue = (np.degrees(np.arctan2(field[..., 1], field[..., 0])) % 360) / 2
    hsv = np.dstack([hue, 255 * np.clip(length / max(largest, 1e-6), 0, 1), np.full(length.shape, 255.0)])
    return cv2.cvtColor(hsv.astype(np.uint8), cv2.COLOR_HSV2RGB)


def _pairs(root: Path) -> list[PairFiles]:
    present = [split for split in SPLITS if (root / "flow" / "facial" / split).is_dir()]
    return [pair for split in present for pair in read_facialflownet(root, split)]


def contact_sheet(root: str | Path, path: str | Path, rows: int = 8) -> Path:
    """Draw pairs and their facial, head and expression flow, each colored up to its own longest vector, into a PNG."""
    pairs = _pairs(Path(root))
    numbers = np.unique(np.linspace(0, len(pairs) - 1, min(rows, len(pairs))).round().astype(int))
    sheet = np.vstack([_row(pairs[i]) for i in numbers])
    with write_whole(path, "wb") as file:
        file.write(cv2.imencode(".png", cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))[1].tobytes())
    return Path(path)


def _row(pair: PairFiles) -> np.ndarray:
    first, second, flow = pair.load()
    record = {} if pair.label is None else json.loads(pair.label.read_text(encoding="utf-8"))
    caption = f"{pair.emotion} {' '.join(record.get('units', {}))}"
    tiles = [_captioned(first.copy(), caption, len(first) - 8, (255, 255, 255)), second]
    inside = flow.mask > 0
    for name in ("facial", "head", "expression"):
        field = getattr(flow, name)
        lengths = np.linalg.norm(field, axis=-1)
        largest = float(lengths[inside].max()) if inside.any() else float(lengths.max())
        tiles.append(_captioned(flow_picture(field, largest), f"{name}, up to {largest:.2f} px", 16, (40, 40, 40)))
    return np.hstack(tiles)


def _captioned(tile: np.ndarray, text: str, y: int, color: tuple[int, int, int]) -> np.ndarray:
    cv2.putText(tile, text, (6, y), cv2.FONT_HERSHEY_SIMPLEX, 0.42 * len(tile) / 256, color, 1, cv2.LINE_AA)
    return tile


def statistics(root: str | Path, path: str | Path, faces: str | Path | None = None, limit: int = 400) -> Path:
    """Draw statistics of a dataset: motion, head poses, action units, and a t-SNE of landmark shapes.

    `faces` is a folder of portraits with `landmarks478.json` in it or one level down, which join the t-SNE (van der
    Maaten & Hinton, JMLR 2008). At most `limit` pairs, and as many frames in the t-SNE, are read.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    root = Path(root)
    pairs, records = _pairs(root), list(read_records(root))
    step = max(len(pairs) // limit, 1)
    peaks: dict[str, list[float]] = {"facial": [], "head": [], "expression": []}
    for pair in pairs[::step]:
        flow = pair.load()[2]
        for name, values in peaks.items():
            values.append(float(np.percentile(np.linalg.norm(getattr(flow, name), axis=-1)[flow.mask > 0], 99)))
    figure, axes = plt.subplots(2, 2, figsize=(11, 8.5), layout="constrained")
    edges = np.logspace(-2, 2, 41)
    for name, values in peaks.items():
        axes[0, 0].hist(np.clip(values, edges[0], edges[-1]), edges, histtype="step", label=name)
    axes[0, 0].set(xscale="log", xlabel="motion on the face, 99th percentile, px", ylabel="pairs")
    axes[0, 0].legend()
    turns = np.array([frame["rotation"] for record in records for frame in record["frames"]])
    for k, name in enumerate(("pitch", "yaw", "roll")):
        axes[0, 1].hist(turns[:, k], np.linspace(-25, 25, 51), histtype="step", label=name)
    axes[0, 1].set(xlabel="head pose, degrees", ylabel="frames")
    axes[0, 1].legend()
    counts = Counter(unit for record in records for unit in record["units"])
    units = sorted(counts, key=lambda unit: (int(unit.lstrip("LR")), unit))
    axes[1, 0].bar(units, [counts[unit] for unit in units])
    axes[1, 0].set(xlabel="action unit at the apex", ylabel="sequences")
    axes[1, 0].tick_params(axis="x", labelrotation=90, labelsize=7)
    _draw_tsne(axes[1, 1], root, records, faces, limit)
    figure.suptitle(f"{root.name}: {len(records)} sequences, {len(pairs)} pairs, synthetic")
    with write_whole(path, "wb") as file:
        figure.savefig(file, dpi=110, format="png")
    plt.close(figure)
    return Path(path)


def expression_shape(landmarks: np.ndarray) -> np.ndarray:
    """Landmarks (n, 478, 3) aligned to the canonical face and relative to it, (n, 3 * 468)."""
    face = canonical_landmarks()[:468].astype(float)
    rigid, shapes = [*STABLE, 10, 234, 454], []
    for points in landmarks[:, :468].astype(float):
        scale, rotation, translation = similarity(points[rigid], face[rigid])
        shapes.append((scale * points @ rotation.T + translation - face).ravel())
    return np.array(shapes)


def _draw_tsne(axes: Any, root: Path, records: list[dict[str, Any]], faces: str | Path | None, limit: int) -> None:
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    shapes, emotions = [], []
    for record in records[:: max(len(records) // limit, 1)]:
        file = root / "label" / record["split"] / record["emotion"] / f"{record['sequence']}.npz"
        with np.load(file, allow_pickle=False) as arrays:
            shapes.append(arrays["landmarks"][record["apex"]])
        emotions.append(record["emotion"])
    photographs = []
    tables = {*Path(faces).glob("landmarks478.json"), *Path(faces).glob("*/landmarks478.json")} if faces else set()
    for table in sorted(tables):
        photographs += [entry["lm"] for entry in json.loads(table.read_text(encoding="utf-8")).values()]
    photographs = photographs[:: max(len(photographs) // limit, 1)]
    features = expression_shape(np.array([*shapes, *photographs], float))
    if len(features) < 10:
        axes.text(0.5, 0.5, "too few sequences for a t-SNE", ha="center")
        return
    reduced = PCA(min(30, len(features) - 1), random_state=0).fit_transform(features)
    points = TSNE(perplexity=min(30, (len(features) - 1) / 3), random_state=0, init="pca").fit_transform(reduced)
    if photographs:
        axes.scatter(*points[len(shapes) :].T, s=6, color="0.7", label="photographs")
    for emotion in sorted(set(emotions)):
        members = [i for i, e in enumerate(emotions) if e == emotion]
        axes.scatter(*points[members].T, s=8, label=emotion)
    axes.set(title="t-SNE of landmark shapes at the apex", xticks=[], yticks=[])
    axes.legend(fontsize=7)
