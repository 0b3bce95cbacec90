"""Aligned frames beside the flows, for classifiers that see pictures: they show the face.

`<clip>_<onset>.clip.npz` holds a clip from onset to offset in gray and small, `<clip>_<onset>.pair.npz` the onset and
the apex in color, as the flow method saw them. Like the videos they are of, they stay where they are; removing them
leaves a whole flow folder.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

from mer.flow.files import MAX_UNPACKED_BYTES
from mer.utils.atomic_files import write_whole

SIDE = 64  # pixels
LONGEST = 128  # frames that are kept of a clip, equally spaced


def clip_path(flow: str | Path) -> Path:
    """Where the clip of a flow file stands."""
    return _beside(flow, "clip")


def pair_path(flow: str | Path) -> Path:
    """Where the onset and the apex of a flow file stand."""
    return _beside(flow, "pair")


def _beside(flow: str | Path, kind: str) -> Path:
    return Path(flow).with_name(f"{Path(flow).name.removesuffix('.npz')}.{kind}.npz")


def kept_frames(numbers: np.ndarray) -> np.ndarray:
    """The frame numbers from onset to offset that are kept: all, or :data:`LONGEST` of them."""
    if len(numbers) <= LONGEST:
        return numbers
    return numbers[np.linspace(0, len(numbers) - 1, LONGEST).round().astype(int)]


def save_clip(flow: str | Path, crops: Iterable[np.ndarray]) -> None:
    """Write aligned crops `(64, 64, 3)`, RGB, as gray frames `(T, 64, 64)`, uint8, whole or not at all."""
    _save(clip_path(flow), np.stack([cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in crops]))


def save_pair(flow: str | Path, onset: np.ndarray, apex: np.ndarray) -> None:
    """Write the aligned onset and apex `(H, W, 3)`, RGB, as `(2, H, W, 3)`, uint8, whole or not at all."""
    _save(pair_path(flow), np.stack([onset, apex]))


def _save(path: Path, frames: np.ndarray) -> None:
    with write_whole(path, "wb") as file:
        np.savez_compressed(file, frames=frames)


def load_clip(flow: str | Path) -> np.ndarray:
    """The clip of a flow file, uint8 `(T, 64, 64)`; `ValueError` says why there is none."""
    path = clip_path(flow)
    clip = _load(path, "--clips")
    if clip.dtype != np.uint8 or clip.ndim != 3 or len(clip) < 1:
        raise ValueError(f"{path}: expected gray frames (T, H, W), found {clip.shape}")
    return clip


def load_pair(flow: str | Path) -> np.ndarray:
    """The onset and the apex of a flow file, uint8 `(2, H, W, 3)`, RGB; `ValueError` says why there are none."""
    path = pair_path(flow)
    pair = _load(path, "--pairs")
    if pair.dtype != np.uint8 or pair.ndim != 4 or pair.shape[0] != 2 or pair.shape[3] != 3:
        raise ValueError(f"{path}: expected two frames in color (2, H, W, 3), found {pair.shape}")
    return pair


def _load(path: Path, option: str) -> np.ndarray:
    try:
        with np.load(path, allow_pickle=False) as archive:
            if sum(member.file_size for member in archive.zip.infolist()) > MAX_UNPACKED_BYTES:
                raise ValueError("it would unpack to more than a clip can be")
            return np.asarray(archive["frames"])
    except FileNotFoundError:
        raise ValueError(f"{path.name} is not there; this model sees frames: extract with {option}") from None
    except Exception as error:  # zipfile, zlib and NumPy have a dozen kinds for damaged bytes
        raise ValueError(f"{path}: not a readable clip ({error})") from error
