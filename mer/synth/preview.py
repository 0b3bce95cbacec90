"""Pictures of a rendered dataset: a contact sheet of pairs with their flow, and its statistics."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mer.flow.facialflownet import SPLITS, PairFiles, read_facialflownet, read_records
from mer.utils.atomic_files import write_whole


def flow_picture(field: np.ndarray, largest: float) -> np.ndarray:
    """Flow as color: hue is the direction, strength of color the length, full at `largest` pixels; uint8 (H, W, 3)."""
    length = np.linalg.norm(field, axis=-1)
    hue = (np.degrees(np.arctan2(field[..., 1], field[..., 0])) % 360) / 2
    hsv = np.dstack([hue, 255 * np.clip(length / max(largest, 1e-6), 0, 1), np.full(length.shape, 255.0)])
    return cv2.cvtColor(hsv.astype(np.uint8), cv2.COLOR_HSV2RGB)


def _pairs(root: Path) -> list[PairFiles]:
    found: list[PairFiles] = []
    for split in SPLITS:
        if (root / "flow" / "facial" / split).is_dir():
            found += read_facialflownet(root, split)
    return found


def contact_sheet(root: str | Path, path: str | Path, rows: int = 8) -> Path:
    """Write pairs beside their facial, head and expression flow, each colored up to its own largest length.

    Parameters
    ----------
    root : str or Path
        A folder in FacialFlowNet's layout.
    path : str or Path
        The picture, PNG.
    rows : int
        Pairs, spread evenly over the dataset.
    """
    pairs = _pairs(Path(root))
    chosen = [pairs[i] for i in np.unique(np.linspace(0, len(pairs) - 1, min(rows, len(pairs))).round().astype(int))]
    lines = []
    for pair in chosen:
        first, second, flow = pair.load()
        tiles = [first, second]
        inside = flow.mask > 0
        for name in ("facial", "head", "expression"):
            field = getattr(flow, name)
            lengths = np.linalg.norm(field, axis=-1)
            largest = float(lengths[inside].max()) if inside.any() else float(lengths.max())
            tile = flow_picture(field, largest)
            text = f"{name}, up to {largest:.2f} px"
            cv2.putText(
                tile, text, (6, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.42 * len(tile) / 256, (40, 40, 40), 1, cv2.LINE_AA
            )
            tiles.append(tile)
        units = ""
        if pair.label is not None:
            units = " ".join(json.loads(pair.label.read_text(encoding="utf-8"))["units"])
        tiles[0] = first.copy()
        cv2.putText(tiles[0], f"{pair.emotion} {units}", (6, len(first) - 8), cv2.FONT_HERSHEY_SIMPLEX,
                    0.42 * len(first) / 256, (255, 255, 255), 1, cv2.LINE_AA)  # fmt: skip
        lines.append(np.hstack(tiles))
    return _write_png(Path(path), np.vstack(lines))


def statistics(root: str | Path, path: str | Path, faces: str | Path | None = None, limit: int = 400) -> Path:
    """Write figures of a dataset: motion, poses, action units, and expressions beside those of photographs.

    Parameters
    ----------
    root : str or Path
        A folder made by `mer synth`.
    path : str or Path
        The picture, PNG.
    faces : str, Path or None
        A folder of portraits with `landmarks478.json` in it or one level down; their expressions stand beside the
        rendered ones in the t-SNE of landmark shapes (van der Maaten & Hinton, JMLR 2008).
    limit : int
        Pairs, and frames in the t-SNE, at most.
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
    counts: dict[str, int] = {}
    for record in records:
        for unit in record["units"]:
            counts[unit] = counts.get(unit, 0) + 1
    units = sorted(counts, key=lambda unit: (int(unit.lstrip("LR")), unit))
    axes[1, 0].bar(units, [counts[unit] for unit in units])
    axes[1, 0].set(xlabel="action unit at the strongest", ylabel="sequences")
    axes[1, 0].tick_params(axis="x", labelrotation=90, labelsize=7)
    _draw_tsne(axes[1, 1], root, records, faces, limit)
    figure.suptitle(f"{root.name}: {len(records)} sequences, {len(pairs)} pairs, synthetic")
    with write_whole(path, "wb") as file:
        figure.savefig(file, dpi=110, format="png")
    plt.close(figure)
    return Path(path)


def expression_shape(landmarks: np.ndarray) -> np.ndarray:
    """Landmarks (n, 478, 3) as shapes without place, size and pose, relative to the mean face, (n, 3 * 468)."""
    from mer.face.canonical import canonical_landmarks
    from mer.face.regions import STABLE
    from mer.synth.fit import similarity

    face = canonical_landmarks()[:468].astype(float)
    anchor, out = [*STABLE, 10, 234, 454], []
    for points in landmarks[:, :468].astype(float):
        scale, turn, shift = similarity(points[anchor], face[anchor])
        out.append((scale * points @ turn.T + shift - face).ravel())
    return np.array(out)


def _draw_tsne(axes: Any, root: Path, records: list[dict[str, Any]], faces: str | Path | None, limit: int) -> None:
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    shapes, emotions = [], []
    for record in records[:: max(len(records) // limit, 1)]:
        place = root / "label" / record["split"] / record["emotion"] / f"{record['sequence']}.npz"
        with np.load(place, allow_pickle=False) as arrays:
            shapes.append(arrays["landmarks"][record["apex"]])
        emotions.append(record["emotion"])
    photographs = []
    for table in (
        sorted({*Path(faces).glob("landmarks478.json"), *Path(faces).glob("*/landmarks478.json")}) if faces else []
    ):
        photographs += [entry["lm"] for entry in json.loads(table.read_text(encoding="utf-8")).values()]
    photographs = photographs[:: max(len(photographs) // limit, 1)]
    points = expression_shape(np.array([*shapes, *photographs], float))
    if len(points) < 10:
        axes.text(0.5, 0.5, "too few sequences for a t-SNE", ha="center")
        return
    reduced = PCA(min(30, len(points) - 1), random_state=0).fit_transform(points)
    flat = TSNE(perplexity=min(30, (len(points) - 1) / 3), random_state=0, init="pca").fit_transform(reduced)
    if photographs:
        axes.scatter(*flat[len(shapes) :].T, s=6, color="0.7", label="photographs")
    for emotion in sorted(set(emotions)):
        mine = [i for i, e in enumerate(emotions) if e == emotion]
        axes.scatter(*flat[mine].T, s=8, label=emotion)
    axes.set(title="t-SNE of landmark shapes at the strongest", xticks=[], yticks=[])
    axes.legend(fontsize=7)


def _write_png(path: Path, image: np.ndarray) -> Path:
    done, data = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    if not done:
        raise OSError(f"{path}: the picture could not be encoded")
    with write_whole(path, "wb") as file:
        file.write(data.tobytes())
    return path
