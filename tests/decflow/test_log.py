"""The log of a training run."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest

from mer.decflow.log import COLUMNS, Log
from mer.decflow.train import train
from tests.decflow.runs import log, state, stop_early


def test_a_row_also_counts_the_steps_before_a_stop(config, tmp_path, monkeypatch):
    config = replace(config, log_every=3)
    train(config)
    stopped = stop_early(config, tmp_path, monkeypatch, minutes=3)
    assert state(stopped.out)["step"] % 3
    train(replace(stopped, resume=True))
    assert log(config.out) == log(stopped.out)


def test_rows_after_the_checkpoint_and_incomplete_rows_are_dropped(tmp_path):
    file = tmp_path / "log.csv"
    file.write_text(",".join(COLUMNS) + "\n2,train,1,1,1,1,1,0.5\n4,train,1,1,1,1,1,0.9\n3,tra\n")
    Log(file, 3, tensorboard=False).write(4, "train", {"loss": 0.5})
    with open(file) as rows:
        assert [(row["step"], row["loss"]) for row in csv.DictReader(rows)] == [("2", "1"), ("4", "0.50000")]


def test_tensorboard_is_written_or_an_error_explains_how_to_install_it(config):
    try:
        import tensorboard  # noqa: F401
    except ImportError:
        with pytest.raises(ValueError, match=r"mer\[train\]"):
            train(replace(config, steps=1, tensorboard=True))
    else:
        train(replace(config, steps=1, tensorboard=True))
        assert list((Path(config.out) / "tensorboard").glob("events*"))
