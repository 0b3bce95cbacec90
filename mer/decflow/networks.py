"""The networks by name, and one way to run each of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from mer.decflow.lite import LiteDecFlow
from mer.decflow.paper import PaperDecFlow

NETWORKS: dict[str, Callable[[], nn.Module]] = {"lite": LiteDecFlow, "paper": PaperDecFlow}


def build(name: str) -> nn.Module:
    """A new network; `ValueError` names those there are."""
    if name not in NETWORKS:
        raise ValueError(f"no network {name!r}; there are {', '.join(NETWORKS)}")
    return NETWORKS[name]()


def predict(
    network: nn.Module, batch: dict[str, Tensor], iterations: int | None = None, *, all_iterates: bool = False
) -> list[tuple[Tensor, Tensor]]:
    """(facial, head) of one iterate or all, from a batch as :func:`mer.decflow.pairs.to_tensors` makes it."""
    inner: Any = getattr(network, "module", network)  # DistributedDataParallel wraps it
    return network(*(batch[name] for name in inner.inputs), iterations, all_iterates=all_iterates)
