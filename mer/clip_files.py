"""Aligned gray clips beside the flows, for classifiers that see frames: `<clip>_<onset>.clip.npz`.

They show the face. Like the videos they are of, they stay where they are; removing them leaves a whole flow folder.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

from mer.files import write_whole
from mer.flow.files import LARGEST

SIDE = 64  # pixels
LONGEST = 128  # frames that are kept of a clip, equally spaced


def clip_path(flow: str | Path) -> Path:
    """Where the clip of a flow file stands."""
    return Path(flow).with_name(f"{Path(flow).name.removesuffix('.npz')}.clip.npz")


def kept_frames(numbers: np.ndarray) -> np.ndarray:
    """The frame numbers from onset to offset that are kept: all, or :data:`LONGEST` of them."""
    if len(numbers) <= LONGEST:
        return numbers
    return numbers[np.linspace(0, len(numbers) - 1, LONGEST).round().astype(int)]


def save_clip(flow: str | Path, crops: Iterable[np.ndarray]) -> None:
    """Write aligned crops `(64, 64, 3)`, RGB, as gray frames `(T, 64, 64)`, uint8, whole or not at all."""
    frames = np.stack([cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in crops])
    with write_whole(clip_path(flow), "wb") as file:
        np.savez_compressed(file, frames=frames)


def load_clip(flow: str | Path) -> np.ndarray:
    """The clip of a flow file, uint8 `(T, 64, 64)`; `ValueError` says why there is none."""
    path = clip_path(flow)
    try:
        with np.load(path, allow_pickle=False) as archive:
            if sum(member.file_size for member in archive.zip.infolist()) > LARGEST:
                raise ValueError("it would unpack to more than a clip can be")
            clip = archive["frames"]
    except FileNotFoundError:
        raise ValueError(f"{path.name} is not there; this model sees frames: extract with --clips") from None
    except Exception as error:  # zipfile, zlib and NumPy have a dozen kinds for damaged bytes
        raise ValueError(f"{path}: not a readable clip ({error})") from error
    if clip.dtype != np.uint8 or clip.ndim != 3 or len(clip) < 1:
        raise ValueError(f"{path}: expected gray frames (T, H, W), found {clip.shape}")
    return clip
