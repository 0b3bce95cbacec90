"""RAFT (Teed & Deng, "RAFT: recurrent all-pairs field transforms for optical flow", ECCV 2020), from torchvision.

torchvision's weights (BSD-3-Clause, trained on FlyingChairs, FlyingThings3D and, for the large network, Sintel, KITTI
and HD1K) are not part of the package. They are looked for

1. at the file that `MER_RAFT_SMALL` or `MER_RAFT_LARGE` names: `.pth` or `.safetensors`, one's own training included;
2. in torch's cache, where torchvision puts them;
3. on the network, only if `MER_DOWNLOAD=1` is set; the download's hash is checked.
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

# The last eight digits of a file's name are the first of its SHA-256.
URLS = {
    "small": "https://download.pytorch.org/models/raft_small_C_T_V2-01064c6d.pth",
    "large": "https://download.pytorch.org/models/raft_large_C_T_SKHT_V2-ff5fadd5.pth",
}
_MEGABYTES = {"small": 4, "large": 20}
_SMALLEST = 128  # the top of the correlation pyramid needs 16 cells of 8 px
_ITERATIONS = 12  # torchvision's and the paper's evaluation default


def raft_small(onset: NDArray[np.uint8], apex: NDArray[np.uint8], *, device: str = "auto") -> Field:
    """Flow by torchvision's small RAFT (1.0 M parameters).

    Parameters
    ----------
    onset, apex : uint8 (H, W, 3)
        RGB, or (H, W) gray.
    device : str
        `auto` (CUDA where there is one), `cpu`, `cuda`, `cuda:1`, ...

    Returns
    -------
    float32 (H, W, 2)
        Pixels, x first, from onset to apex on the onset's grid.

    Raises
    ------
    FileNotFoundError
        Where there are no weights; it says how to get them.
    """
    return _flow("small", onset, apex, device)


def raft_large(onset: NDArray[np.uint8], apex: NDArray[np.uint8], *, device: str = "auto") -> Field:
    """Flow by torchvision's large RAFT (5.3 M parameters), otherwise as :func:`raft_small`."""
    return _flow("large", onset, apex, device)


def find_weights(variant: str, download: bool | None = None) -> Path:
    """The file of weights for `small` or `large`.

    Parameters
    ----------
    variant : {"small", "large"}
    download : bool, optional
        Fetch the file where there is none. By default, if `MER_DOWNLOAD` is 1.

    Raises
    ------
    FileNotFoundError
        Where there are none; it says how to get them.
    """
    import torch

    variable = f"MER_RAFT_{variant.upper()}"
    if os.environ.get(variable):
        path = Path(os.environ[variable]).expanduser()
        if not path.is_file():
            raise FileNotFoundError(f"{variable} names {path}, which is not there")
        return path
    url = URLS[variant]
    path = Path(torch.hub.get_dir(), "checkpoints", url.rpartition("/")[2])
    if download is None:
        download = os.environ.get("MER_DOWNLOAD") == "1"
    if not path.is_file() and not download:
        raise FileNotFoundError(
            f"no weights for raft-{variant}: set MER_DOWNLOAD=1 to let it fetch {url} ({_MEGABYTES[variant]} MB, "
            f"torchvision, BSD-3-Clause), put that file at {path}, or let {variable} name your own"
        )
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(url, str(path), hash_prefix=_hash_prefix(path), progress=False)
    return path


def load_raft(variant: str, path: str | Path | None = None, device: str = "cpu") -> Module:
    """The network with its weights, for inference: :func:`find_weights` says which, unless a `path` is given.

    Raises
    ------
    ValueError
        Where the file is no state dict, not that of this network, or bears the name of torchvision's and has another
        SHA-256. Nothing in it is run.
    """
    import torch

    path = Path(path) if path is not None else find_weights(variant)
    if path.name == URLS[variant].rpartition("/")[2]:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        if not found.startswith(_hash_prefix(path)):
            raise ValueError(f"{path} is damaged: its SHA-256 starts with {found[:8]}; delete it")
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
    except Exception as error:  # torch and safetensors have many kinds for a file that is no checkpoint
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ValueError(f"{path} does not hold weights of raft-{variant} ({reason})") from error
    return network.to(device).eval()


def raft_flow(network: Module, onset: NDArray[np.uint8], apex: NDArray[np.uint8]) -> Field:
    """Flow `(H, W, 2)` by a RAFT network on the device where it is; frames as in :func:`raft_small`."""
    import torch

    height, width = onset.shape[:2]
    device = next(network.parameters()).device
    frames = [_to_tensor(frame).to(device) for frame in (onset, apex)]
    with torch.inference_mode():
        flow = network(*frames, num_flow_updates=_ITERATIONS)[-1]
    return np.ascontiguousarray(flow[0, :, :height, :width].permute(1, 2, 0).cpu().numpy(), np.float32)


def _flow(variant: str, onset: NDArray[np.uint8], apex: NDArray[np.uint8], device: str) -> Field:
    path = find_weights(variant)
    return raft_flow(_loaded(variant, str(path), path.stat().st_mtime_ns, find_device(device)), onset, apex)


@lru_cache(maxsize=2)
def _loaded(variant: str, path: str, changed: int, device: str) -> Module:
    return load_raft(variant, path, device)


def _to_tensor(frame: NDArray[np.uint8]) -> Tensor:
    """`(1, 3, H', W')` in -1 to 1; the last row and column are repeated to a multiple of 8, 128 at least."""
    import torch

    if frame.ndim == 2:
        frame = np.repeat(frame[..., None], 3, axis=2)
    down, right = (max(-(-size // 8) * 8, _SMALLEST) - size for size in frame.shape[:2])
    padded = cv2.copyMakeBorder(frame, 0, down, 0, right, cv2.BORDER_REPLICATE)
    return torch.from_numpy(padded).permute(2, 0, 1)[None].float() / 127.5 - 1


def _hash_prefix(path: Path) -> str:
    return path.stem.rpartition("-")[2]
