"""Files of a training run."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mer.decflow.networks import build
from mer.decflow.train import train
from mer.decflow.weights import load_network, read_card


def test_the_weights_have_a_card(config):
    result = train(replace(config, steps=3))
    card = read_card(f"{config.out}/weights.safetensors")
    assert card["trained_on"] == f"3 steps of 2 pairs at 64 px from {config.data[0]}"
    assert card["measured"]["expression"] == result["expression"]
    assert card["settings"]["lr"] == 1e-3
    assert card["parameters"] == sum(p.numel() for p in build("lite").parameters())
    load_network("lite", f"{config.out}/weights.safetensors")  # whose hash is the card's


def test_a_damaged_checkpoint_is_named(config):
    train(replace(config, steps=1))
    with open(f"{config.out}/checkpoint.pt", "wb") as file:
        file.write(b"PK nothing")
    with pytest.raises(ValueError, match=r"checkpoint\.pt is damaged, or not a checkpoint"):
        train(replace(config, steps=1, resume=True))


def test_a_run_is_neither_overwritten_nor_resumed_with_other_settings(config):
    train(replace(config, steps=1))
    with pytest.raises(ValueError, match="--resume"):
        train(replace(config, steps=1))
    with pytest.raises(ValueError, match="--lr"):
        train(replace(config, steps=1, lr=0.5, resume=True))
