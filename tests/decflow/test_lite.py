"""The lite network."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import pytest
import torch

from mer.decflow.lite import LiteDecFlow, LiteSizes
from mer.decflow.losses import Loss, sequence_loss
from mer.decflow.networks import build, predict


def batch(faces, count=2, size=64):
    from mer.decflow.data.sources import Batches, open_source

    dataset = Batches([open_source(faces, "train")], size, seed=1)
    pairs = [dataset[n] for n in range(count)]
    return {name: torch.stack([pair[name] for pair in pairs]) for name in pairs[0]}


def test_shapes_iterates_and_gradients(faces):
    b, network = batch(faces), build("lite")
    iterates = predict(network, b, 3, all_iterates=True)
    assert len(iterates) == 3
    assert iterates[0][0].shape == iterates[0][1].shape == b["facial"].shape
    assert torch.equal(predict(network, b, 3)[0][0], iterates[-1][0])
    sequence_loss(iterates, b, Loss())[0].backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name


def test_half_precision_gives_nearly_the_same_flow(faces):
    b, network = batch(faces), build("lite").eval()
    with torch.inference_mode():
        full = predict(network, b)[0]
        with torch.autocast("cpu", torch.bfloat16):
            half = predict(network, b)[0]
    for a, c in zip(full, half):
        assert c.dtype == torch.float32
        assert (a - c).abs().mean() < 0.02


def test_without_the_prior_the_network_reads_only_positions(faces):
    b = batch(faces)
    network = LiteDecFlow(replace(LiteSizes(), prior=False)).eval()
    before = predict(network, b)[0][0]
    b["prior"] = torch.randn_like(b["prior"])
    assert torch.equal(predict(network, b)[0][0], before)


def test_weights_are_a_few_megabytes():
    assert sum(4 * p.numel() for p in build("lite").parameters()) < 8e6


def overfit(pairs, seconds=110.0):
    """Train on a handful of pairs; the masked expression error, in pixels, and that of zero flow."""
    import time

    b = {name: torch.stack([pair[name] for pair in pairs]) for name in pairs[0]}
    torch.manual_seed(0)
    network = build("lite").to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
    began, steps = time.process_time(), 400
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = 3e-3 * (1 - step / steps)
        iterates = predict(network, b, 2, all_iterates=True)
        loss, epe = sequence_loss(iterates, b, Loss())
        if epe["expression"] < 0.045 or time.process_time() - began > seconds:
            break
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
    print(f"step {step}, {time.process_time() - began:.0f} s, { ({k: round(float(v), 4) for k, v in epe.items()}) }")
    return float(epe["expression"]), float(epe["none"])


@pytest.mark.slow
def test_eight_rendered_pairs_are_overfitted_in_two_minutes():
    data = pytest.importorskip("mer.decflow.data.sources")
    try:
        source = data.open_source("render:makehuman", "train")
    except (OSError, ImportError) as error:
        pytest.skip(str(error))
    person = lru_cache(source._make_person)
    source._person = lambda identity: person(identity % 2)  # two people will do
    source.large = 0.0
    dataset = data.Batches([source], 96, seed=2)
    expression, none = overfit([dataset[n] for n in range(8)])
    assert none > 0.08
    assert expression < 0.05
