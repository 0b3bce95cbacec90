"""What a training run depends on, and the command line that says it."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field, fields
from typing import Any


@dataclass
class Config:
    """Every setting of a run; the command line has a flag of the same name for each."""

    data: list[str] = field(default_factory=list)  # folders; pairs are drawn from them in turn
    out: str = "decflow_run"  # the run's folder
    network: str = "lite"  # or paper, raft-small, raft-large
    init: str = ""  # weights to start from (.safetensors)
    train: str = "all"  # or head: the head decoder alone
    resume: bool = False
    seed: int = 1234
    # schedule
    steps: int = 20_000
    batch: int = 8  # pairs, over all processes
    size: int = 128  # side of the crops
    iterations: int = 3
    lr: float = 1e-3  # at the top of the one-cycle schedule
    warmup: float = 0.05  # share of the steps
    weight_decay: float = 1e-5
    clip: float = 1.0  # largest gradient norm
    ema: float = 0.999  # decay of the averaged weights
    # loss, see mer.decflow.losses
    facial: float = 1.0
    head: float = 0.8
    expression: float = 1.5
    gamma: float = 0.85
    face_mask: bool = True
    occlusion_mask: bool = True
    power: float = 1.0
    # running
    device: str = "auto"
    threads: int = 1  # of torch, per process
    workers: int = 0  # processes that prepare pairs, per training process
    val_pairs: int = 64
    val_every: int = 500
    log_every: int = 50
    save_minutes: float = 3.0
    stop_minutes: float = 0.0  # save and stop after so long; 0: never
    tensorboard: bool = False


_PAPER: dict[str, Any] = {
    "network": "paper", "steps": 10_000, "batch": 6, "size": 480, "iterations": 12, "lr": 1.25e-4,
    "face_mask": False, "occlusion_mask": False,
}  # fmt: skip
# The two stages of the paper (FacialFlowNet, Section 4.3), and what all stages of the shipped weights have in common.
PRESETS: dict[str, dict[str, Any]] = {
    "lite": {"batch": 4, "iterations": 2, "power": 0.7},
    "paper-1": _PAPER,
    "paper-2": {**_PAPER, "train": "head"},
}


def parse(arguments: list[str] | None = None, description: str | None = None) -> Config:
    """The configuration that a command line asks for: a preset, then the flags given."""
    parser = argparse.ArgumentParser(
        prog="python -m mer.decflow.train",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--preset", choices=PRESETS, default="lite", help="settings to start from (default: lite)")
    for item in fields(Config):
        flag = "--" + item.name.replace("_", "-")
        if item.name == "data":
            parser.add_argument(flag, nargs="+", default=argparse.SUPPRESS, metavar="FOLDER")
        elif item.type == "bool":
            parser.add_argument(flag, action=argparse.BooleanOptionalAction, default=argparse.SUPPRESS)
        else:
            kind = {"int": int, "float": float, "str": str}[str(item.type)]
            parser.add_argument(flag, type=kind, default=argparse.SUPPRESS, help=f"default: {item.default!r}")
    given = vars(parser.parse_args(arguments))
    return Config(**{**PRESETS[given.pop("preset")], **given})
