"""Settings of a training run, and their flags."""

from __future__ import annotations

from dataclasses import fields

import pytest

from mer.decflow.config import FIXED, Config, parse


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"size": 100}, "multiple of 32, such as 128"),
        ({"size": 0}, "--size is 0"),
        ({"network": "other"}, "unknown network 'other'; choose from lite, paper"),
        ({"train": "foot"}, "unknown part 'foot'"),
        ({"network": "raft-small", "train": "head"}, "no head decoder"),
        ({"batch": 0}, "--batch is 0; expected 1 or more"),
        ({"log_every": 0}, "--log-every is 0"),
        ({"iterations": 0}, "--iterations is 0"),
        ({"steps": 0}, "--steps is 0"),
        ({"ema": 2.0}, "--ema is 2.0"),
        ({"lr": 0.0}, "--lr is 0.0; expected a number above 0"),
    ],
)
def test_impossible_settings_are_named(settings, words):
    with pytest.raises(ValueError, match=words):
        Config(**settings)


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


def test_flags_override_the_preset():
    config = parse(["--preset", "paper-2", "--data", "a", "b", "--lr", "1e-5", "--no-occlusion-mask", "--face-mask"])
    assert (config.network, config.train, config.steps, config.batch) == ("paper", "head", 10_000, 6)
    assert (config.data, config.lr, config.occlusion_mask, config.face_mask) == (["a", "b"], 1e-5, False, True)


def test_a_resumed_run_may_change_only_how_it_runs():
    free = {item.name for item in fields(Config)} - FIXED
    assert free == {
        "out", "resume", "device", "threads", "workers", "val_every", "val_pairs", "save_minutes", "stop_minutes",
        "log_every", "tensorboard",
    }  # fmt: skip


def test_a_wrong_flag_is_one_line(capsys):
    with pytest.raises(SystemExit) as end:
        parse(["--nope"])
    assert end.value.code == 2
    assert (
        capsys.readouterr().err
        == "python -m mer.decflow.train: unrecognized arguments: --nope; --help lists the flags\n"
    )
