"""Reading what a training run has written, and stopping one."""

from __future__ import annotations

import csv
from dataclasses import replace

import torch

from mer.decflow.train import train


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


def stop_early(config, tmp_path, monkeypatch, minutes):
    """The same run, stopped before its end; on this clock, each look takes half a minute."""
    ticks = iter(range(10**6))
    monkeypatch.setattr("mer.decflow.training_loop.time.monotonic", lambda: 60.0 * next(ticks) / 2)
    stopped = replace(config, out=str(tmp_path / "stopped"))
    train(replace(stopped, stop_minutes=minutes))
    monkeypatch.undo()
    return stopped
