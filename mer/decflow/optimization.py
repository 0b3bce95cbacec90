"""What a training step updates: which parameters, at which learning rate, and their running average."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mer.decflow.config import PARTS, Config

# Parts of the published network that never run.
UNUSED = ("dad_encoder.model.3.", "att.pos_emb.")


def learning_rate(step: int, config: Config) -> float:
    """One cycle: a linear rise during the warm-up, then a linear fall to zero."""
    rise = max(1, round(config.warmup * config.steps))
    if step < rise:
        return config.lr * (step + 1) / rise
    return config.lr * max(0.0, (config.steps - step) / max(1, config.steps - rise))


def trainable(network: nn.Module, part: str, *, semantic_encoder: bool = False) -> list[nn.Parameter]:
    """The parameters that a stage trains; freezes all others.

    Parameters
    ----------
    part : {"all", "head"}
        All of the network, or only the head decoder.
    semantic_encoder : bool
        With `all`, also train the ResNet-50 of the published network, which the paper freezes.
    """
    if part not in PARTS:
        raise ValueError(f"unknown part {part!r} to train; choose from {', '.join(PARTS)}")
    frozen_parts = UNUSED if semantic_encoder else (*UNUSED, "dad_encoder.")
    for name, parameter in network.named_parameters():
        if part == "head":
            parameter.requires_grad_(name.startswith(("update_block_head", "decoders.head")))
        else:
            parameter.requires_grad_(not name.startswith(frozen_parts))
    return [parameter for parameter in network.parameters() if parameter.requires_grad]


def freeze_statistics(network: nn.Module) -> None:
    """Keep the statistics of frozen batch normalization; otherwise the frozen part would drift."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d) and not module.weight.requires_grad:
            module.eval()


@torch.no_grad()
def update_average(average: dict[str, Tensor], network: nn.Module, decay: float) -> None:
    """Exponential moving average of the weights, in place."""
    for name, value in network.state_dict().items():
        if value.is_floating_point():
            average[name].lerp_(value, 1 - decay)
        else:
            average[name].copy_(value)
