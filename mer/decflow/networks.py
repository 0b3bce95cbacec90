"""The networks by name, and one function that runs any of them. Torch is imported when a network is built."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor, nn


def lite() -> nn.Module:
    from mer.decflow.lite import LiteDecFlow

    return LiteDecFlow()


def paper() -> nn.Module:
    from mer.decflow.paper import PaperDecFlow

    return PaperDecFlow()


def raft(size: str) -> nn.Module:
    """Torchvision's RAFT, untrained, with torchvision's parameter names, so that `raft-small` can load the weights."""
    from mer.utils.torch_setup import import_torchvision

    optical_flow = import_torchvision().models.optical_flow
    return getattr(optical_flow, f"raft_{size}")(weights=None)


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "lite": lite,
    "paper": paper,
    "raft-small": lambda: raft("small"),
    "raft-large": lambda: raft("large"),
}
ONE_FIELD = ("raft-small", "raft-large")  # networks without head flow: only the facial term of the loss trains them


def build(name: str) -> nn.Module:
    """A new network; `ValueError` lists the names."""
    if name not in NETWORKS:
        raise ValueError(f"unknown network {name!r}; choose from {', '.join(NETWORKS)}")
    return NETWORKS[name]()


def predict(
    network: nn.Module, batch: dict[str, Tensor], iterations: int | None = None, *, all_iterates: bool = False
) -> list[tuple[Tensor, Tensor]]:
    """`(facial, head)` of the last iterate or of all, from a batch of :func:`mer.decflow.data.pairs.to_tensors`.

    The head flow of a one-field network is zero.
    """
    unwrapped: Any = getattr(network, "module", network)  # from DistributedDataParallel
    if hasattr(unwrapped, "inputs"):
        return network(*(batch[name] for name in unwrapped.inputs), iterations, all_iterates=all_iterates)
    frames = (batch[name] / 127.5 - 1 for name in ("onset", "apex"))
    fields = network(*frames, num_flow_updates=iterations or 12)
    return [(field, field.new_zeros(field.shape)) for field in (fields if all_iterates else fields[-1:])]
