"""RAFT (Teed & Deng, "RAFT: recurrent all-pairs field transforms for optical flow", ECCV 2020), from torchvision.

The package does not contain torchvision's weights (BSD-3-Clause; trained on FlyingChairs, FlyingThings3D and, for the
large network, Sintel, KITTI and HD1K). They are taken from the first of these sources:

1. the file named by `MER_RAFT_SMALL` or `MER_RAFT_LARGE`, `.pth` or `.safetensors`, such as your own weights;
2. torch's cache, where torchvision stores them;
3. a download with a checked hash, only if `MER_DOWNLOAD=1` is set.
"""

from __future__ import annotations

import hashlib
import os
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mer.flow.field import Field
from mer.utils.torch_setup import find_device, import_torchvision

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

# The last eight digits of each file name are the first eight of its SHA-256.
URLS = {
    "small": "https://download.pytorch.org/models/raft_small_C_T_V2-01064c6d.pth",
    "large": "https://download.pytorch.org/models/raft_large_C_T_SKHT_V2-ff5fadd5.pth",
}
_MEGABYTES = {"small": 4, "large": 20}
_MIN_SIZE = 128  # the top of the correlation pyramid needs 16 cells of 8 px
_ITERATIONS = 12  # torchvision's and the paper's evaluation default


def raft_small(onset: NDArray[np.uint8], apex: NDArray[np.uint8], *, device: str = "auto") -> Field:
    """Flow by torchvision's small RAFT (1.0 M parameters).

    Parameters
    ----------
    onset, apex : uint8 (H, W, 3)
        RGB, or (H, W) gray.
    device : str
        `auto` (CUDA if available), `cpu`, `cuda`, `cuda:1`, ...

    Returns
    -------
    float32 (H, W, 2)
        Pixels, x first, from onset to apex on the onset's grid.

    Raises
    ------
    FileNotFoundError
        If there are no weights; the message explains how to get them.
    """
    return _flow("small", onset, apex, device)


def raft_large(onset: NDArray[np.uint8], apex: NDArray[np.uint8], *, device: str = "auto") -> Field:
    """Flow by torchvision's large RAFT (5.3 M parameters), otherwise like :func:`raft_small`."""
    return _flow("large", onset, apex, device)


def find_weights(variant: str, download: bool | None = None) -> Path:
    """Path of the weights for `small` or `large`.

    Parameters
    ----------
    variant : {"small", "large"}
    download : bool, optional
        Download missing weights. Default: only if `MER_DOWNLOAD` is 1.

    Raises
    ------
    FileNotFoundError
        If there are no weights; the message explains how to get them.
    """
    import torch

    variable = f"MER_RAFT_{variant.upper()}"
    if os.environ.get(variable):
        path = Path(os.environ[variable]).expanduser()
        if not path.is_file():
            raise FileNotFoundError(f"{variable} names {path}, which does not exist")
        return path
    url = URLS[variant]
    path = Path(torch.hub.get_dir(), "checkpoints", url.rpartition("/")[2])
    if download is None:
        download = os.environ.get("MER_DOWNLOAD") == "1"
    if not path.is_file() and not download:
        raise FileNotFoundError(
            f"no weights for raft-{variant}: set MER_DOWNLOAD=1 to download {url} ({_MEGABYTES[variant]} MB, "
            f"torchvision, BSD-3-Clause), copy that file to {path}, or set {variable} to your own file"
        )
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(url, str(path), hash_prefix=_hash_prefix(path), progress=False)
    return path


def load_raft(variant: str, path: str | Path | None = None, device: str = "cpu") -> Module:
    """Load the network for inference, with the weights at `path` or, by default, from :func:`find_weights`.

    No code in the file is run.

    Raises
    ------
    ValueError
        If the file is not a state dict of this network, or has torchvision's file name but another SHA-256.
    """
    import torch

    path = Path(path) if path is not None else find_weights(variant)
    if path.name == URLS[variant].rpartition("/")[2]:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if not digest.startswith(_hash_prefix(path)):
            raise ValueError(f"{path} is damaged: its SHA-256 starts with {digest[:8]}; delete it")
    import_torchvision()
    from torchvision.models import optical_flow

    network = {"small": optical_flow.raft_small, "large": optical_flow.raft_large}[variant](weights=None)
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            state: Any = load_file(str(path))
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
        network.load_state_dict(state)
    except Exception as error:  # torch and safetensors raise many types for files that are not checkpoints
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ValueError(f"{path} does not hold weights of raft-{variant} ({reason})") from error
    return network.to(device).eval()


def raft_flow(network: Module, onset: NDArray[np.uint8], apex: NDArray[np.uint8]) -> Field:
    """Flow `(H, W, 2)` by a loaded network, on its device; frames as in :func:`raft_small`."""
    import torch

    height, width = onset.shape[:2]
    device = next(network.parameters()).device
    frames = [_to_tensor(frame).to(device) for frame in (onset, apex)]
    with torch.inference_mode():
        flow = network(*frames, num_flow_updates=_ITERATIONS)[-1]
    return np.ascontiguousarray(flow[0, :, :height, :width].permute(1, 2, 0).cpu().numpy(), np.float32)


def _flow(variant: str, onset: NDArray[np.uint8], apex: NDArray[np.uint8], device: str) -> Field:
    path = find_weights(variant)
    return raft_flow(_cached_network(variant, str(path), path.stat().st_mtime_ns, find_device(device)), onset, apex)


@lru_cache(maxsize=2)
def _cached_network(variant: str, path: str, modified_ns: int, device: str) -> Module:
    return load_raft(variant, path, device)


def _to_tensor(frame: NDArray[np.uint8]) -> Tensor:
    """Tensor `(1, 3, H', W')` in -1 to 1, padded by edge replication to multiples of 8, at least 128."""
    import torch

    if frame.ndim == 2:
        frame = np.repeat(frame[..., None], 3, axis=2)
    down, right = (max(-(-size // 8) * 8, _MIN_SIZE) - size for size in frame.shape[:2])
    padded = cv2.copyMakeBorder(frame, 0, down, 0, right, cv2.BORDER_REPLICATE)
    return torch.from_numpy(padded).permute(2, 0, 1)[None].float() / 127.5 - 1


def _hash_prefix(path: Path) -> str:
    return path.stem.rpartition("-")[2]
