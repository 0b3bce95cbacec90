"""Training of the networks of :mod:`mer.models.zero_shot_classifier` on rendered micro-expressions alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mer.features import mirror
from mer.models.zero_shot_classifier import CLASSES, build_network, normalized_flow
from mer.synth.flow_degradation import as_8bit_image
from mer.synth.micro_flows import MicroFlows
from mer.utils.atomic_files import write_whole
from mer.utils.progress import Track
from mer.utils.torch_setup import one_thread

if TYPE_CHECKING:
    from torch import Generator, Tensor, nn

_BATCH = 128


def train_networks(
    rendered: MicroFlows,
    networks: int = 4,
    epochs: int = 7,
    seed: int = 0,
    learning_rate: float = 2e-3,
    track: Track | None = None,
) -> list[nn.Sequential]:
    """Train networks that differ only by their seed, with AdamW on a one-cycle schedule.

    Each clip is quantized as in published images (:func:`mer.synth.flow_degradation.as_8bit_image`) and augmented
    differently in each epoch (:func:`augment`).

    Parameters
    ----------
    rendered : MicroFlows
    networks : int
        Number of networks.
    epochs, seed, learning_rate : number
    track : function, optional
        Progress bar, as in :mod:`mer.utils.progress`.
    """
    import torch

    if networks < 1 or epochs < 1:
        raise ValueError(f"{networks} networks and {epochs} epochs; expected at least one of each")
    fields = np.stack([normalized_flow(as_8bit_image(flow), crop="box") for flow in rendered.flows])
    images = torch.from_numpy(fields).permute(0, 3, 1, 2).contiguous()
    labels = torch.tensor([CLASSES.index(label) for label in rendered.labels])
    with one_thread():
        tasks = range(networks)
        return [
            _train(images, labels, epochs, learning_rate, seed + k)
            for k in (track(tasks, networks, "networks") if track else tasks)
        ]


def _train(images: Tensor, labels: Tensor, epochs: int, learning_rate: float, seed: int) -> nn.Sequential:
    import torch
    from torch.nn.functional import cross_entropy

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        generator = torch.Generator().manual_seed(seed)
        network = build_network()
        frequency = torch.bincount(labels, minlength=len(CLASSES)).clamp(min=1).float()
        weight = (frequency.mean() / frequency).sqrt()  # half way to balanced classes
        optimizer = torch.optim.AdamW(network.parameters(), lr=learning_rate, weight_decay=1e-2)
        batch = min(_BATCH, len(labels))
        steps = epochs * (len(labels) // batch)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, learning_rate, total_steps=max(steps, 2) + 1)
        for _ in range(epochs):
            for rows in torch.randperm(len(labels), generator=generator).split(batch):
                if len(rows) < batch:  # too few for batch normalization
                    continue
                optimizer.zero_grad()
                scores = network(augment(images[rows], generator))
                cross_entropy(scores, labels[rows], weight=weight, label_smoothing=0.1).backward()
                optimizer.step()
                schedule.step()
    return network.eval()


def augment(images: Tensor, generator: Generator, flip: Tensor | None = None) -> Tensor:
    """Random mirroring, small affine transformations, and random strength of each channel.

    Parameters
    ----------
    images : (n, 2, H, W)
    generator : torch.Generator
    flip : bool (n,), optional
        Which fields to mirror. By default, half of them at random.
    """
    import torch
    from torch.nn.functional import affine_grid, grid_sample

    n = len(images)

    def normal(*shape: int, spread: float) -> Tensor:
        return torch.randn(n, *shape, generator=generator) * spread

    if flip is None:
        flip = torch.rand(n, generator=generator) < 0.5
    images = torch.where(flip[:, None, None, None], mirror(images), images)
    theta = torch.zeros(n, 2, 3)
    theta[:, 0, 0], theta[:, 1, 1] = 1 + normal(spread=0.05), 1 + normal(spread=0.05)
    theta[:, 0, 2], theta[:, 1, 2] = normal(spread=0.05), normal(spread=0.07)
    turn = normal(spread=0.03)
    theta[:, 0, 1], theta[:, 1, 0] = turn, -turn
    grid = affine_grid(theta, list(images.shape), align_corners=False)
    images = grid_sample(images, grid, padding_mode="border", align_corners=False)
    return images * torch.exp(normal(2, 1, 1, spread=0.15))


def save_weights(networks: list[nn.Sequential], path: str | Path, record: dict[str, Any]) -> None:
    """Write networks as `.safetensors` in half precision, with `record` in the header."""
    from safetensors.torch import save

    tensors = {
        f"{k}.{name}": value.half() if value.is_floating_point() else value
        for k, network in enumerate(networks)
        for name, value in network.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    with write_whole(Path(path), "wb") as file:
        file.write(save(tensors, metadata={"mer": json.dumps(record, sort_keys=True)}))
