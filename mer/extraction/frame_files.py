"""Aligned frames stored next to the flows, for classifiers that see images. They show faces.

`<clip>_<onset>.clip.npz` holds the frames from onset to offset, gray and small. `<clip>_<onset>.pair.npz` holds the
onset and the apex in color, as the flow method saw them. A flow folder stays complete without them.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

from mer.flow.files import MAX_UNPACKED_BYTES
from mer.utils.atomic_files import write_whole

SIDE = 64  # pixels
LONGEST = 128  # frames per clip; of a longer clip, equally spaced ones


def clip_path(flow: str | Path) -> Path:
    """The path of the frames of a flow file."""
    return _sibling(flow, "clip")


def pair_path(flow: str | Path) -> Path:
    """The path of the onset and apex of a flow file."""
    return _sibling(flow, "pair")


def _sibling(flow: str | Path, kind: str) -> Path:
    return Path(flow).with_name(f"{Path(flow).name.removesuffix('.npz')}.{kind}.npz")


def frames_to_keep(numbers: np.ndarray) -> np.ndarray:
    """All frame numbers, or :data:`LONGEST` of them, equally spaced."""
    if len(numbers) <= LONGEST:
        return numbers
    return numbers[np.linspace(0, len(numbers) - 1, LONGEST).round().astype(int)]


def save_clip(flow: str | Path, crops: Iterable[np.ndarray]) -> None:
    """Write aligned crops `(64, 64, 3)`, RGB, as gray frames `(T, 64, 64)`, uint8, atomically."""
    _save(clip_path(flow), np.stack([cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in crops]))


def save_pair(flow: str | Path, onset: np.ndarray, apex: np.ndarray) -> None:
    """Write the aligned onset and apex `(H, W, 3)`, RGB, as `(2, H, W, 3)`, uint8, atomically."""
    _save(pair_path(flow), np.stack([onset, apex]))


def _save(path: Path, frames: np.ndarray) -> None:
    with write_whole(path, "wb") as file:
        np.savez_compressed(file, frames=frames)


def load_clip(flow: str | Path) -> np.ndarray:
    """The frames of a flow file, uint8 `(T, 64, 64)`; `ValueError` if they are missing or damaged."""
    path = clip_path(flow)
    frames = _load(path, "--clips")
    if frames.dtype != np.uint8 or frames.ndim != 3 or len(frames) < 1:
        raise ValueError(f"{path}: expected gray frames (T, H, W), found {frames.shape}")
    return frames


def load_pair(flow: str | Path) -> np.ndarray:
    """The onset and apex of a flow file, uint8 `(2, H, W, 3)`, RGB; `ValueError` if they are missing or damaged."""
    path = pair_path(flow)
    pair = _load(path, "--pairs")
    if pair.dtype != np.uint8 or pair.ndim != 4 or pair.shape[0] != 2 or pair.shape[3] != 3:
        raise ValueError(f"{path}: expected two color frames (2, H, W, 3), found {pair.shape}")
    return pair


def _load(path: Path, option: str) -> np.ndarray:
    try:
        with np.load(path, allow_pickle=False) as archive:
            if sum(member.file_size for member in archive.zip.infolist()) > MAX_UNPACKED_BYTES:
                raise ValueError("it is larger than any clip when unpacked")
            return np.asarray(archive["frames"])
    except FileNotFoundError:
        raise ValueError(f"{path.name} is missing; this model sees frames: extract with {option}") from None
    except Exception as error:  # zipfile, zlib and NumPy raise many kinds of errors for damaged files
        raise ValueError(f"{path}: not a readable clip ({error})") from error
