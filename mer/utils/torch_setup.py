"""What has to be settled before torch is imported: how its threads wait, and the operators that torchvision expects.

Imported first by :mod:`mer`; it imports nothing heavy itself.
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

# An OpenMP thread that finishes early spins by default, and on a busy machine it takes the core from the thread that it
# waits for: ten to sixteen times slower was measured on two cores. A value that the user has set is kept.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# The C++ side of mediapipe otherwise fills stderr with start-up messages.
os.environ.setdefault("GLOG_minloglevel", "2")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

# Declared by torchvision's Python side when it is imported, so an import without the compiled kernels stops at them:
# "operator torchvision::nms does not exist".
_OPERATORS = {
    "nms": "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}
_libraries: list[Any] = []  # an operator vanishes when its torch.library.Library is collected


def import_torchvision() -> ModuleType:
    """Import torchvision even where its compiled operators do not load, and return it.

    Its compiled kernels load only beside the torch build that they were made for; a CPU-only torch is often another
    one. The optical-flow networks need none of them and the MTCNN face detector needs one, non-maximum suppression,
    which then runs in plain PyTorch. Where the compiled kernels load, nothing is changed.
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
        # nms() asks first whether the compiled kernels are there; the other operators go on saying that they are not.
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
    """Greedy non-maximum suppression: boxes `(n, 4)` as x0, y0, x1, y1; returns the kept rows, best score first."""
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
    """One thread of torch, for speed on small batches and for sums that do not depend on the machine's cores.

    With a seed, random numbers of its own.
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
    """`auto` as `cuda` where there is a GPU and `cpu` elsewhere; other names as they are.

    Raises
    ------
    ValueError
        For a name that torch does not know, and for a device that is not there.
    """
    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError, NotImplementedError, ImportError) as error:  # torch has a kind for each
        raise ValueError(f"device {name!r} is not there; expected auto, cpu, cuda or cuda:1") from error
    return name
