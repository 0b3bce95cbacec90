"""Training stops, resumes, and is divided among processes without changing its result."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file

from mer.decflow.networks import build
from mer.decflow.train import train
from mer.decflow.training_loop import _validation_pairs
from mer.utils.torch_setup import import_torchvision
from tests.decflow.runs import log, same, state, stop_early


def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(config, tmp_path, monkeypatch):
    train(config)
    stopped = stop_early(config, tmp_path, monkeypatch, minutes=4)
    assert 0 < state(stopped.out)["step"] < 6
    train(replace(stopped, resume=True))
    one, two = state(config.out), state(stopped.out)
    for part in ("network", "optimizer", "average", "step"):
        assert same(one[part], two[part]), part
    assert log(config.out) == log(stopped.out)


def test_two_processes_give_the_result_of_one(config, tmp_path):
    train(config)
    arguments = [
        sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
        "-m", "mer.decflow.train", "--data", *config.data, "--out", str(tmp_path / "two"), "--steps", "6",
        "--batch", "2", "--size", "64", "--iterations", "2", "--power", "1", "--lr", "1e-3", "--val-pairs", "2",
        "--val-every", "3", "--log-every", "1", "--device", "cpu",
    ]  # fmt: skip
    done = subprocess.run(arguments, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    one, two = log(config.out), log(tmp_path / "two")
    assert len(one) == len(two) == 8
    for a, b in zip(one, two):
        for column in ("loss", "facial", "head", "expression", "none"):
            if a[column]:
                assert float(a[column]) == pytest.approx(float(b[column]), rel=2e-3, abs=2e-5)


@pytest.mark.slow
def test_two_processes_train_a_single_iteration(config, tmp_path):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m"]
    command += ["mer.decflow.train", "--data", *config.data, "--out", str(tmp_path / "two"), "--steps", "3"]
    command += ["--batch", "2", "--size", "64", "--iterations", "1", "--val-pairs", "1", "--device", "cpu"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_missing_data_and_an_unknown_device_are_named(config):
    with pytest.raises(ValueError, match="no data"):
        train(replace(config, data=[]))
    with pytest.raises(ValueError, match="device 'there' is not available"):
        train(replace(config, device="there"))


def test_a_source_that_cannot_validate_is_named(config, tmp_path, capsys):
    for part in ("image/facial", "flow/facial", "flow/head", "mask"):
        (tmp_path / "ffn" / part / "val/happy/s01").mkdir(parents=True)
    pairs = _validation_pairs(replace(config, data=[str(tmp_path / "ffn"), "generic"], val_pairs=1))
    assert len(pairs) == 1
    assert "not validated on: " in capsys.readouterr().out
    with pytest.raises(ValueError, match=r"no people to validate on: .*val/happy/s01: no frames"):
        _validation_pairs(replace(config, data=[str(tmp_path / "ffn")]))


def test_trained_raft_keeps_torchvisions_names(config):
    train(replace(config, network="raft-small", size=128, steps=1, iterations=1, val_pairs=1, batch=1))
    raft = import_torchvision().models.optical_flow.raft_small(weights=None)
    raft.load_state_dict(load_file(f"{config.out}/weights.safetensors"))


def test_the_second_stage_of_the_paper_changes_only_the_head_decoder(config):
    torch.manual_seed(0)
    start = build("paper").state_dict()
    save_file({name: value.clone() for name, value in start.items()}, f"{config.out}.safetensors")
    train(
        replace(
            config, network="paper", init=[f"{config.out}.safetensors"], train="head", size=128, steps=1, iterations=1,
            val_pairs=1, batch=1, ema=0.0,
        )
    )  # fmt: skip
    after = load_file(f"{config.out}/weights.safetensors")
    changed = {name.split(".")[0] for name, value in start.items() if not torch.equal(value, after[name])}
    assert changed == {"update_block_head"}
