"""Where training pairs come from: FacialFlowNet data on disk; rendered, warped or faceless pairs on the fly.

A source gives pair number `n` for a seed, the same each time, so that a training run needs no state of its data: it can
be stopped, resumed and shared between processes without a pair drawn twice or lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from mer.datasets.person_split import SPLITS
from mer.decflow.data.augment import augment
from mer.decflow.data.pairs import Pair, to_tensors
from mer.decflow.data.rendered import open_rendered
from mer.decflow.data.textures import generic_pair
from mer.decflow.data.warped_photos import Motion, read_photos, warped_pair
from mer.face.canonical import canonical_landmarks
from mer.face.regions import OUTER_EYE_CORNERS, OVAL


class Source(Protocol):
    """Pairs by number."""

    def __call__(self, rng: np.random.Generator, size: int) -> Pair: ...


class WarpedPhotos:
    """Photographs under random motion; see :mod:`mer.decflow.data.warped_photos`."""

    def __init__(self, folders: Sequence[str | Path], split: str, motion: Motion | None = None) -> None:
        self.photos = read_photos(folders, split)
        self.motion = motion

    def __call__(self, rng: np.random.Generator, size: int) -> Pair:
        return warped_pair(self.photos[rng.integers(len(self.photos))], rng, size, self.motion)


class OnDisk:
    """A FacialFlowNet folder, the original or one made by `mer synth`, with augmentation."""

    def __init__(self, folder: str | Path, split: str) -> None:
        from mer.flow.facialflownet import read_facialflownet

        self.files = read_facialflownet(folder, split)

    def __call__(self, rng: np.random.Generator, size: int) -> Pair:
        file = self.files[rng.integers(len(self.files))]
        onset, apex, flow = file.load()
        hidden = file.occlusion()
        pair = Pair(
            onset, apex, flow.facial, flow.head, flow.mask, file.landmarks(),
            None if hidden is None else (hidden == 0).astype(np.uint8),
        )  # fmt: skip
        return augment(pair, rng, size)


def open_source(path: str | Path, split: str) -> Source:
    """The source at a path: a folder of faces (`landmarks478.json` in it or one level down), or FacialFlowNet data.

    `render:MODEL[=FILE][@FACES]` is rendered on the fly; see :mod:`mer.decflow.data.rendered`. `generic` shows no faces at
    all; see :mod:`mer.decflow.data.textures`.
    """
    if split not in SPLITS:
        raise ValueError(f"no split {split!r}; there are {', '.join(SPLITS)}")
    if str(path) == "generic":
        return generic_pair  # of nobody, so there is nothing to split
    if str(path).startswith("render:"):
        return open_rendered(str(path), split)
    path = Path(path)
    if (path / "landmarks478.json").exists():
        return WarpedPhotos([path], split)
    below = sorted(table.parent for table in path.glob("*/landmarks478.json"))
    if below:
        return WarpedPhotos(below, split)
    if (path / "flow").is_dir():
        return OnDisk(path, split)
    raise FileNotFoundError(
        f"{path}: neither faces (landmarks478.json there or one level down) nor FacialFlowNet data (flow/facial/...)"
    )


class Batches(Dataset):
    """Tensors of pair number `n`, drawn from several sources in turn.

    Parameters
    ----------
    sources : sequence of Source
        Pair `n` comes from source `n % len(sources)`.
    size : int
        Side of the crops, a multiple of 32.
    seed : int
    """

    def __init__(self, sources: Sequence[Source], size: int, seed: int) -> None:
        if size % 32:
            raise ValueError(f"the crop is {size} pixels; expected a multiple of 32")
        self.sources, self.size, self.seed = sources, size, seed

    def __getitem__(self, n: int) -> dict[str, Tensor]:
        rng = np.random.default_rng([self.seed, n])
        pair = self.sources[n % len(self.sources)](rng, self.size)
        return to_tensors(pair, known_landmarks(pair, rng))


def known_landmarks(pair: Pair, rng: np.random.Generator) -> NDArray[np.float32]:
    """The landmarks that the network is told: a detector's, with its error, or the mean face where there are none."""
    landmarks = place_canonical(pair) if pair.landmarks is None or rng.random() < 0.25 else pair.landmarks
    unit = np.linalg.norm(np.subtract(*landmarks[list(OUTER_EYE_CORNERS), :2]))
    off = rng.normal(0, 0.012 * unit, 3) * [1, 1, 0]
    return (landmarks + off + rng.normal(0, 0.004 * unit, landmarks.shape)).astype(np.float32)


def place_canonical(pair: Pair) -> NDArray[np.float32]:
    """The mean face, upright, where the pair's face is: by its eyes if they are known, else by the mask."""
    points = canonical_landmarks()
    if pair.landmarks is not None:
        right, left = pair.landmarks[list(OUTER_EYE_CORNERS), :2]
        unit, middle = np.linalg.norm(left - right), (left + right) / 2
    else:
        rows, columns = np.nonzero(pair.mask)
        if not len(rows):
            rows, columns = np.array([0, pair.mask.shape[0] - 1]), np.array([0, pair.mask.shape[1] - 1])
        low, high = points[list(OVAL), :2].min(axis=0), points[list(OVAL), :2].max(axis=0)
        unit = (rows.max() - rows.min()) / (high[1] - low[1])
        middle = np.array([columns.min() + columns.max(), rows.min() + rows.max()]) / 2 - unit * (low + high) / 2
    placed = points * unit
    placed[:, :2] += middle
    return placed.astype(np.float32)
