"""Training stops, goes on, and divides among processes without changing its path."""

from __future__ import annotations

import csv
import subprocess
import sys
from dataclasses import fields, replace

import pytest
import torch

from mer.decflow.config import Config, parse
from mer.decflow.networks import build
from mer.decflow.optimization import learning_rate, trainable
from mer.decflow.train import train
from mer.decflow.weights import load_network, read_card
from tests.decflow.faces import write_faces


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    return write_faces(tmp_path_factory.mktemp("faces"), 24)


@pytest.fixture
def config(faces, tmp_path):
    return Config(
        data=[str(faces)], out=str(tmp_path / "run"), steps=6, batch=2, size=64, iterations=2, lr=1e-3,
        val_pairs=2, val_every=3, log_every=1, save_minutes=1e9, device="cpu",
    )  # fmt: skip


def state(out):
    return torch.load(f"{out}/checkpoint.pt", weights_only=True)


def log(out):
    with open(f"{out}/log.csv") as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


def same(a, b):
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


def stopped_by_the_clock(config, tmp_path, monkeypatch, minutes):
    """The same run, stopped before its end; on this clock, half a minute passes from one look to the next."""
    ticks = iter(range(10**6))
    monkeypatch.setattr("mer.decflow.training_loop.time.monotonic", lambda: 60.0 * next(ticks) / 2)
    stopped = replace(config, out=str(tmp_path / "stopped"))
    train(replace(stopped, stop_minutes=minutes))
    monkeypatch.undo()
    return stopped


def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(config, tmp_path, monkeypatch):
    train(config)
    stopped = stopped_by_the_clock(config, tmp_path, monkeypatch, minutes=4)
    assert 0 < state(stopped.out)["step"] < 6
    train(replace(stopped, resume=True))
    one, two = state(config.out), state(stopped.out)
    for part in ("network", "optimizer", "average", "step"):
        assert same(one[part], two[part]), part
    assert log(config.out) == log(stopped.out)


def test_two_processes_follow_the_path_of_one(config, tmp_path):
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


def test_a_run_is_neither_overwritten_nor_resumed_with_other_settings(config):
    train(replace(config, steps=1))
    with pytest.raises(ValueError, match="--resume"):
        train(replace(config, steps=1))
    with pytest.raises(ValueError, match="--lr"):
        train(replace(config, steps=1, lr=0.5, resume=True))


def test_wrong_settings_are_named(config):
    with pytest.raises(ValueError, match="no data"):
        train(replace(config, data=[]))
    with pytest.raises(ValueError, match="device 'there' is not available"):
        train(replace(config, device="there"))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"size": 100}, "multiple of 32, such as 128"),
        ({"size": 0}, "--size is 0"),
        ({"network": "other"}, "no network 'other'; there are lite, paper"),
        ({"train": "foot"}, "no part 'foot'"),
        ({"network": "raft-small", "train": "head"}, "no head decoder"),
        ({"batch": 0}, "--batch is 0; expected 1 or more"),
        ({"log_every": 0}, "--log-every is 0"),
        ({"iterations": 0}, "--iterations is 0"),
        ({"steps": 0}, "--steps is 0"),
        ({"ema": 2.0}, "--ema is 2.0"),
        ({"lr": 0.0}, "--lr is 0.0; expected a number above 0"),
    ],
)
def test_settings_that_cannot_be(settings, words):
    with pytest.raises(ValueError, match=words):
        Config(**settings)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("", "no data"),
        ("--data nowhere", "nowhere: neither faces"),
        ("--data generic --size 100", "--size is 100"),
        ("--data generic --init nothing.pth", "nothing.pth does not exist"),
    ],
)
def test_a_mistake_is_one_line(arguments, words, tmp_path):
    command = [sys.executable, "-m", "mer.decflow.train", *arguments.split(), "--out", str(tmp_path / "run")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("mer.decflow.train: ")
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


def test_help_is_shown_without_torch():
    code = (
        "import sys\nfrom mer.decflow.train import main\n"
        "try:\n main(['--help'])\nfinally:\n sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0
    assert "usage: python -m mer.decflow.train" in done.stdout


def test_every_setting_is_a_flag(capsys):
    with pytest.raises(SystemExit):
        parse(["--help"], program="mer train decflow")
    text = capsys.readouterr().out
    assert text.startswith("usage: mer train decflow")
    for item in fields(Config):
        assert f"  --{item.name.replace('_', '-')}" in text


def test_help_shows_the_defaults_of_the_default_preset(capsys):
    with pytest.raises(SystemExit):
        parse(["--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert "--batch BATCH pairs, over all processes (default: 4)" in text
    assert "(default: 0.7)" in text
    config = parse([])
    assert (config.batch, config.iterations, config.power) == (4, 2, 0.7)


def test_a_row_of_the_log_counts_the_steps_from_before_a_stop(config, tmp_path, monkeypatch):
    config = replace(config, log_every=3)
    train(config)
    stopped = stopped_by_the_clock(config, tmp_path, monkeypatch, minutes=3)
    assert state(stopped.out)["step"] % 3
    train(replace(stopped, resume=True))
    assert log(config.out) == log(stopped.out)


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
    with pytest.raises(ValueError, match=r"checkpoint\.pt is damaged, or no checkpoint"):
        train(replace(config, steps=1, resume=True))


@pytest.mark.slow
def test_two_processes_train_a_single_iteration(config, tmp_path):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m"]
    command += ["mer.decflow.train", "--data", *config.data, "--out", str(tmp_path / "two"), "--steps", "3"]
    command += ["--batch", "2", "--size", "64", "--iterations", "1", "--val-pairs", "1", "--device", "cpu"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_one_cycle():
    config = Config(steps=100, warmup=0.1, lr=1.0)
    rates = [learning_rate(step, config) for step in range(100)]
    assert max(rates) == 1.0
    assert rates.index(1.0) == 9
    assert rates[0] == pytest.approx(0.1)
    assert 0 < rates[-1] < 0.02


def test_flags_override_the_preset():
    config = parse(["--preset", "paper-2", "--data", "a", "b", "--lr", "1e-5", "--no-occlusion-mask", "--face-mask"])
    assert (config.network, config.train, config.steps, config.batch) == ("paper", "head", 10_000, 6)
    assert (config.data, config.lr, config.occlusion_mask, config.face_mask) == (["a", "b"], 1e-5, False, True)


def test_the_second_stage_trains_the_head_decoder_alone():
    from mer.decflow.networks import build

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


def test_raft_is_trained_by_the_same_script_and_keeps_torchvisions_names(config):
    from safetensors.torch import load_file

    from mer.utils.torch_setup import import_torchvision

    train(replace(config, network="raft-small", size=128, steps=1, iterations=1, val_pairs=1, batch=1))
    raft = import_torchvision().models.optical_flow.raft_small(weights=None)
    raft.load_state_dict(load_file(f"{config.out}/weights.safetensors"))


def test_the_paper_trains_one_step_and_its_second_stage_leaves_the_facial_flow_alone(config):
    from safetensors.torch import load_file, save_file

    from mer.decflow.networks import build

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


def test_pictures_and_curves_go_to_tensorboard_or_an_error_says_how_to_get_it(config):
    try:
        import tensorboard  # noqa: F401
    except ImportError:
        with pytest.raises(ValueError, match=r"mer\[train\]"):
            train(replace(config, steps=1, tensorboard=True))
    else:
        from pathlib import Path

        train(replace(config, steps=1, tensorboard=True))
        assert list((Path(config.out) / "tensorboard").glob("events*"))


def test_the_head_decoder_alone_can_be_trained_in_the_lite_network_too():
    network = build("lite")
    names = {name for name, parameter in network.named_parameters() if parameter.requires_grad}
    trainable(network, "head")
    chosen = {name for name, parameter in network.named_parameters() if parameter.requires_grad}
    assert chosen
    assert all(name.startswith("decoders.head") for name in chosen)
    assert chosen < names
