"""Sources of training pairs: FacialFlowNet data on disk; rendered, warped or faceless pairs made on the fly.

Pair number `n` of a seed is always the same, so a training run needs no state of its data: it can be stopped, resumed
and split among processes without drawing a pair twice or losing one.
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
from mer.decflow.data.rendered import face_folders, open_rendered
from mer.decflow.data.textures import generic_pair
from mer.decflow.data.warped_photos import Motion, read_photos, warped_pair
from mer.face.canonical import canonical_landmarks
from mer.face.regions import OUTER_EYE_CORNERS, OVAL


class Source(Protocol):
    """Draws a pair of `size` x `size` pixels."""

    def __call__(self, rng: np.random.Generator, size: int) -> Pair: ...


class WarpedPhotos:
    """Photographs under random motion; see :mod:`mer.decflow.data.warped_photos`."""

    def __init__(self, folders: Sequence[str | Path], split: str, motion: Motion | None = None) -> None:
        self.photos = read_photos(folders, split)
        self.motion = motion

    def __call__(self, rng: np.random.Generator, size: int) -> Pair:
        return warped_pair(self.photos[rng.integers(len(self.photos))], rng, size, self.motion)


class OnDisk:
    """A FacialFlowNet folder, original or made by `mer synth`, with augmentation."""

    def __init__(self, folder: str | Path, split: str) -> None:
        from mer.flow.facialflownet import read_facialflownet

        self.files = read_facialflownet(folder, split)

    def __call__(self, rng: np.random.Generator, size: int) -> Pair:
        file = self.files[rng.integers(len(self.files))]
        onset, apex, flow = file.load()
        occlusion = file.occlusion()
        visible = None if occlusion is None else (occlusion == 0).astype(np.uint8)
        pair = Pair(onset, apex, flow.facial, flow.head, flow.mask, file.landmarks(), visible)
        return augment(pair, rng, size)


def open_source(path: str | Path, split: str) -> Source:
    """The source of a name or path.

    Parameters
    ----------
    path : str or Path
        A folder of faces (`landmarks478.json` in it or one level down); FacialFlowNet data;
        `render:MODEL[=FILE][@FACES]`, rendered on the fly (:mod:`mer.decflow.data.rendered`); or `generic`, without
        faces (:mod:`mer.decflow.data.textures`).
    split : {"train", "val", "test"}
        People whose pairs are drawn.
    """
    if split not in SPLITS:
        raise ValueError(f"unknown split {split!r}; choose from {', '.join(SPLITS)}")
    if str(path) == "generic":
        return generic_pair  # shows no people, so there is nothing to split
    if str(path).startswith("render:"):
        return open_rendered(str(path), split)
    folders = face_folders(path)
    if folders:
        return WarpedPhotos(folders, split)
    if (Path(path) / "flow").is_dir():
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
        return to_tensors(pair, simulate_detection(pair, rng))


def simulate_detection(pair: Pair, rng: np.random.Generator) -> NDArray[np.float32]:
    """Landmarks as a network gets them: with a detector's error, or of the mean face (always if none are known)."""
    landmarks = place_mean_face(pair) if pair.landmarks is None or rng.random() < 0.25 else pair.landmarks
    interocular = np.linalg.norm(np.subtract(*landmarks[list(OUTER_EYE_CORNERS), :2]))
    common_error = rng.normal(0, 0.012 * interocular, 3) * [1, 1, 0]
    return (landmarks + common_error + rng.normal(0, 0.004 * interocular, landmarks.shape)).astype(np.float32)


def place_mean_face(pair: Pair) -> NDArray[np.float32]:
    """The mean face, upright, at the place of the pair's face: by the eyes if they are known, else by the mask."""
    points = canonical_landmarks()
    if pair.landmarks is not None:
        right, left = pair.landmarks[list(OUTER_EYE_CORNERS), :2]
        interocular, origin = np.linalg.norm(left - right), (left + right) / 2
    else:
        rows, columns = np.nonzero(pair.mask)
        if not len(rows):
            rows, columns = np.array([0, pair.mask.shape[0] - 1]), np.array([0, pair.mask.shape[1] - 1])
        low, high = points[list(OVAL), :2].min(axis=0), points[list(OVAL), :2].max(axis=0)
        interocular = (rows.max() - rows.min()) / (high[1] - low[1])
        center = np.array([columns.min() + columns.max(), rows.min() + rows.max()]) / 2
        origin = center - interocular * (low + high) / 2
    placed = points * interocular
    placed[:, :2] += origin
    return placed.astype(np.float32)
