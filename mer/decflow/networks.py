"""The networks by name, and one way to run each of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from mer.decflow.lite import LiteDecFlow
from mer.decflow.paper import PaperDecFlow


def _raft(size: str) -> nn.Module:
    """torchvision's RAFT, untrained; its weights keep torchvision's names, so that `raft-small` can be given them."""
    from mer.utils.torch_setup import import_torchvision

    optical_flow = import_torchvision().models.optical_flow
    return getattr(optical_flow, f"raft_{size}")(weights=None)


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "lite": LiteDecFlow,
    "paper": PaperDecFlow,
    "raft-small": lambda: _raft("small"),
    "raft-large": lambda: _raft("large"),
}
ONE_FIELD = ("raft-small", "raft-large")  # these have no head flow; only the facial term trains them


def build(name: str) -> nn.Module:
    """A new network; `ValueError` names those there are."""
    if name not in NETWORKS:
        raise ValueError(f"no network {name!r}; there are {', '.join(NETWORKS)}")
    return NETWORKS[name]()


def predict(
    network: nn.Module, batch: dict[str, Tensor], iterations: int | None = None, *, all_iterates: bool = False
) -> list[tuple[Tensor, Tensor]]:
    """(facial, head) of one iterate or all, from a batch as :func:`mer.decflow.data.pairs.to_tensors` makes it.

    The head flow of a one-field network is zero.
    """
    inner: Any = getattr(network, "module", network)  # DistributedDataParallel wraps it
    if hasattr(inner, "inputs"):
        return network(*(batch[name] for name in inner.inputs), iterations, all_iterates=all_iterates)
    frames = (batch[name] / 127.5 - 1 for name in ("onset", "apex"))
    fields = network(*frames, num_flow_updates=iterations or 12)
    return [(field, torch.zeros_like(field)) for field in (fields if all_iterates else fields[-1:])]
