"""Settings that must be made before torch is imported, and helpers for torch and torchvision.

:mod:`mer` imports this module first; it imports nothing heavy itself.

The stand-in for torchvision's operators is kept by hand: no package provides them for a torch build other than the one
that torchvision was compiled for.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import ModuleType

    from torch import Tensor

# By default, an OpenMP thread that finishes early spins. On a busy machine it takes the core from the thread that it
# waits for, which made programs 10 to 16 times slower on two cores. A value that the user has set is kept.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# MediaPipe's C++ code would otherwise fill stderr with start-up messages.
os.environ.setdefault("GLOG_minloglevel", "2")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

# torchvision's Python code refers to these operators when it is imported. Without the compiled kernels, the import
# stops: "operator torchvision::nms does not exist".
_OPERATORS = {
    "nms": "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}
_libraries: list[Any] = []  # operators vanish when their torch.library.Library is garbage-collected


def import_torchvision() -> ModuleType:
    """Import torchvision even if its compiled operators do not load.

    The compiled operators load only with the torch build that they were made for, which a CPU-only torch often is not.
    The optical-flow networks need none of them. The MTCNN face detector needs one, non-maximum suppression, which then
    runs in plain PyTorch. If the compiled operators load, nothing is changed.
    """
    if "torchvision" in sys.modules:
        return sys.modules["torchvision"]
    spec = importlib.util.find_spec("torchvision")
    if spec is None or not spec.submodule_search_locations:
        raise ImportError("torchvision is not installed; run `python -m pip install torchvision`")
    folder = Path(spec.submodule_search_locations[0])
    compiled = any(_loads(file) for file in folder.glob("_C*") if file.suffix in {".so", ".pyd", ".dylib"})
    if not compiled:
        _declare_operators()
    torchvision = importlib.import_module("torchvision")
    if not compiled:
        # nms() first checks for the compiled kernels; the other operators still raise that they are missing.
        importlib.import_module("torchvision.ops.boxes").__dict__["_assert_has_ops"] = lambda: None
    return torchvision


def _loads(file: Path) -> bool:
    import torch

    try:
        torch.ops.load_library(str(file))
    except (OSError, ImportError, RuntimeError):
        return False
    return True


def _declare_operators() -> None:
    import torch

    library = torch.library.Library("torchvision", "FRAGMENT")
    for name, schema in _OPERATORS.items():
        if not hasattr(torch.ops.torchvision, name):
            library.define(schema)
            library.impl(name, _nms, "CompositeExplicitAutograd")
    _libraries.append(library)


def _nms(boxes: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    """Greedy non-maximum suppression of boxes `(n, 4)` (x0, y0, x1, y1): the indices to keep, best score first."""
    import torch

    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    order = scores.argsort(descending=True, stable=True)
    kept = []
    while order.numel():
        best, order = order[0], order[1:]
        kept.append(best)
        corner0 = torch.maximum(boxes[best, :2], boxes[order, :2])
        corner1 = torch.minimum(boxes[best, 2:], boxes[order, 2:])
        overlap = (corner1 - corner0).clamp(min=0).prod(dim=1)
        order = order[overlap <= iou_threshold * (area[best] + area[order] - overlap)]
    return torch.stack(kept) if kept else order


@contextmanager
def one_thread(seed: int | None = None) -> Iterator[None]:
    """Run torch on one thread: faster on small batches, and sums do not depend on the number of cores.

    With `seed`, the block draws from its own random numbers and leaves the global generator as it was.
    """
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[], enabled=seed is not None):
            if seed is not None:
                torch.manual_seed(seed)
            yield
    finally:
        torch.set_num_threads(threads)


def find_device(name: str = "auto") -> str:
    """Resolve `auto` to `cuda` or `cpu`, and check that the device exists.

    Raises
    ------
    ValueError
        If torch does not know the name, or the device is not available.
    """
    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError, NotImplementedError, ImportError) as error:  # depends on the name
        raise ValueError(f"device {name!r} is not available; expected auto, cpu, cuda or cuda:1") from error
    return name
