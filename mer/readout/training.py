"""How the readout learns action units: from rendered expressions, in which they are known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mer.models.torch_classifier import _one_thread
from mer.models.zero_shot import form_network
from mer.models.zero_shot_training import varied
from mer.readout import PROPORTION, SIDED, SWAP, forms
from mer.synth.clips import MicroFlows
from mer.synth.flows import UNITS

if TYPE_CHECKING:
    from torch import nn

_BATCH = 128
_LARGEST = 2.0  # target beyond which a clip is mostly noise around a weak unit


def targets_of(intensities: np.ndarray) -> np.ndarray:
    """Intensities `(n, units)` of :data:`mer.synth.flows.UNITS` as those of :data:`SIDED`; a unit without sides there
    has the mean of both.
    """
    columns = [[k for k, unit in enumerate(UNITS) if name in (unit, unit.lstrip("LR"))] for name in SIDED]
    return np.stack([intensities[:, places].mean(1) for places in columns], axis=1)


def train_readout(rendered: MicroFlows, epochs: int = 8, seed: int = 0, learning_rate: float = 2e-3) -> nn.Sequential:
    """A network that gives intensities in proportion to the strength of the flow, by a Huber loss."""
    import torch
    from torch.nn.functional import smooth_l1_loss

    images, strength = forms(rendered.flows)
    wanted = targets_of(rendered.intensities) / np.maximum(strength, 1e-9)[:, None] / PROPORTION
    x = torch.from_numpy(images)
    t = torch.from_numpy(np.minimum(wanted, _LARGEST).astype(np.float32))
    with _one_thread(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        draw = torch.Generator().manual_seed(seed)
        network = form_network(len(SIDED))
        network[-2].p = 0.2  # type: ignore[assignment]  # less dropout than for classes: the answer is a sum of parts
        optimizer = torch.optim.AdamW(network.parameters(), lr=learning_rate, weight_decay=1e-3)
        batch = min(_BATCH, len(x))
        steps = epochs * (len(x) // batch)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, learning_rate, total_steps=max(steps, 2) + 1)
        for _ in range(epochs):
            for rows in torch.randperm(len(x), generator=draw).split(batch):
                if len(rows) < batch:  # its batch normalization would be of too few
                    continue
                flip = torch.rand(batch, generator=draw) < 0.5
                wanted_here = torch.where(flip[:, None], t[rows][:, list(SWAP)], t[rows])
                optimizer.zero_grad()
                # Units of strong motions would rule a squared loss, absent ones an absolute loss.
                smooth_l1_loss(network(varied(x[rows], draw, flip)), wanted_here, beta=0.3).backward()
                optimizer.step()
                schedule.step()
    return network.eval()
