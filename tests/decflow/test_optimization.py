"""Learning rate, trained parts, and the averaged weights."""

from __future__ import annotations

import pytest
import torch

from mer.decflow.config import Config
from mer.decflow.networks import build
from mer.decflow.optimization import freeze_statistics, learning_rate, trainable, update_average


def test_the_learning_rate_rises_and_falls_once():
    config = Config(steps=100, warmup=0.1, lr=1.0)
    rates = [learning_rate(step, config) for step in range(100)]
    assert max(rates) == 1.0
    assert rates.index(1.0) == 9
    assert rates[0] == pytest.approx(0.1)
    assert 0 < rates[-1] < 0.02


def test_the_second_stage_trains_only_the_head_decoder():
    network = build("paper")
    count = sum(parameter.numel() for parameter in trainable(network, "head"))
    assert count == sum(parameter.numel() for parameter in network.update_block_head.parameters())
    with_encoder = {id(parameter) for parameter in trainable(network, "all", semantic_encoder=True)}
    assert all(id(parameter) in with_encoder for parameter in network.dad_encoder.model[:3].parameters())
    assert not any(
        id(parameter) in with_encoder for parameter in network.dad_encoder.model[3].parameters()
    )  # never run
    everything = {id(parameter) for parameter in trainable(network, "all")}
    assert not any(id(parameter) in everything for parameter in network.dad_encoder.parameters())
    assert all(id(parameter) in everything for parameter in network.res1.parameters())


def test_the_head_decoder_of_the_lite_network_can_be_trained_separately():
    network = build("lite")
    names = {name for name, parameter in network.named_parameters() if parameter.requires_grad}
    trainable(network, "head")
    trained = {name for name, parameter in network.named_parameters() if parameter.requires_grad}
    assert trained
    assert all(name.startswith("decoders.head") for name in trained)
    assert trained < names


def test_frozen_batch_normalization_keeps_its_statistics():
    network = torch.nn.Sequential(torch.nn.BatchNorm2d(2), torch.nn.BatchNorm2d(2)).train()
    network[0].requires_grad_(False)
    freeze_statistics(network)
    assert [layer.training for layer in network] == [False, True]


def test_the_average_follows_the_weights():
    network = torch.nn.Linear(1, 1, bias=False)
    average = {"weight": network.weight.detach() + 1}
    update_average(average, network, 0.75)
    assert average["weight"].item() == pytest.approx(network.weight.item() + 0.75)
