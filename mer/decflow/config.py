"""What a training run depends on, and the command line that says it."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field, fields
from typing import Any, NoReturn

from mer.decflow.networks import NETWORKS, ONE_FIELD

PARTS = ("all", "head")  # of a network, that may be trained


@dataclass
class Config:
    """Every setting of a run; the command line has a flag of the same name for each."""

    data: list[str] = field(default_factory=list)  # folders; pairs are drawn from them in turn
    out: str = "decflow_run"  # the run's folder
    network: str = "lite"  # or paper, raft-small, raft-large
    init: list[str] = field(default_factory=list)  # weights to start from; for paper, also files with parts of it
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

    def __post_init__(self) -> None:
        least: dict[str, float] = dict.fromkeys(("steps", "batch", "iterations", "threads", "val_pairs"), 1)
        least |= dict.fromkeys(("val_every", "log_every"), 1) | {
            "size": 32,
            "workers": 0,
            "seed": 0,
            "warmup": 0,
            "ema": 0,
        }
        for name, low in least.items():
            if getattr(self, name) < low:
                raise ValueError(f"--{name.replace('_', '-')} is {getattr(self, name)}; expected {low:g} or more")
        for name in ("lr", "clip", "gamma", "power"):
            if not getattr(self, name) > 0:
                raise ValueError(f"--{name} is {getattr(self, name)}; expected a number above 0")
        if self.size % 32:
            raise ValueError(f"--size is {self.size}; expected a multiple of 32, such as {self.size // 32 * 32 + 32}")
        if self.ema >= 1 or self.warmup > 1:
            raise ValueError(f"--ema is {self.ema}, --warmup {self.warmup}; expected a number below 1, and up to 1")
        if self.network not in NETWORKS:
            raise ValueError(f"no network {self.network!r}; there are {', '.join(NETWORKS)}")
        if self.train not in PARTS:
            raise ValueError(f"no part {self.train!r} to train; there are {' and '.join(PARTS)}")
        if self.network != "lite" and self.size < 128:
            raise ValueError(f"--size is {self.size}; {self.network} takes 128 and more")
        if self.network in ONE_FIELD and self.train != "all":
            raise ValueError(f"{self.network} has no head decoder; train all of it")


_PAPER: dict[str, Any] = {
    "network": "paper", "steps": 10_000, "batch": 6, "size": 480, "iterations": 12, "lr": 1.25e-4,
    "face_mask": False, "occlusion_mask": False,
}  # fmt: skip
# The two stages of the paper (FacialFlowNet, Section 4.3), and what all stages of the shipped weights have in common.
PRESETS: dict[str, dict[str, Any]] = {
    "lite": {"batch": 4, "iterations": 2, "power": 0.7},
    "paper-1": _PAPER,
    "paper-2": {**_PAPER, "train": "head"},
    "raft": {"network": "raft-small", "batch": 4, "iterations": 12, "lr": 1e-4},
}
PRESET = "lite"


# What each flag is, beside its default.
HELP = {
    "data": "portraits, FacialFlowNet's layout, render:MODEL[=FILE][@FACES] or generic; several are taken in turn",
    "out": "the run's folder",
    "network": f"{', '.join(NETWORKS)}",
    "init": "weights to start from, .safetensors or .pth; for paper, also several files with parts of it",
    "train": "all, or head: the head decoder alone",
    "resume": "go on from the checkpoint in the run's folder",
    "batch": "pairs, over all processes",
    "size": "side of the crops, pixels",
    "iterations": "refinements of the flow",
    "lr": "highest learning rate of the one-cycle schedule",
    "warmup": "share of the steps in which the rate rises",
    "clip": "largest norm of the gradient",
    "ema": "decay of the averaged weights",
    "facial": "weight of the facial term in the loss",
    "head": "weight of the head term",
    "expression": "weight of the expression term",
    "gamma": "an iterate counts that much less than the next one",
    "face_mask": "pixels beside the face hardly count",
    "occlusion_mask": "pixels that the apex hides don't count",
    "power": "1: the paper's absolute error; below, motions under a pixel weigh more",
    "device": "auto, cpu, cuda or cuda:1",
    "threads": "of torch, in each process",
    "workers": "processes that prepare pairs, for each one that trains",
    "val_pairs": "pairs of people who are never trained on, on which the averaged weights are measured",
    "val_every": "steps from one validation to the next",
    "log_every": "steps that a row of log.csv sums up",
    "save_minutes": "from one checkpoint to the next",
    "stop_minutes": "save and stop after so long; 0: never",
    "tensorboard": "also write curves and flow pictures for TensorBoard",
}


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, without the usage."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; --help lists the flags\n")


def parse(arguments: list[str] | None = None, description: str | None = None) -> Config:
    """The configuration that a command line asks for: a preset, then the flags given."""
    parser = _Parser(
        prog="python -m mer.decflow.train",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--preset", choices=PRESETS, default=PRESET, help=f"settings to start from (default: {PRESET})")
    usual = {**{item.name: item.default for item in fields(Config)}, **PRESETS[PRESET]}
    for item in fields(Config):
        flag, default = "--" + item.name.replace("_", "-"), usual[item.name]
        text = HELP.get(item.name, "")
        if str(item.type) == "list[str]":
            many = {"nargs": "+", "metavar": {"data": "DATA", "init": "FILE"}[item.name]}
            parser.add_argument(flag, default=argparse.SUPPRESS, help=text, **many)  # type: ignore[arg-type]
        elif item.type == "bool":
            text = f"{text} (default: {'yes' if default else 'no'})".strip()
            parser.add_argument(flag, action=argparse.BooleanOptionalAction, default=argparse.SUPPRESS, help=text)
        else:
            kind = {"int": int, "float": float, "str": str}[str(item.type)]
            text = f"{text} (default: {default})".strip()
            parser.add_argument(flag, type=kind, default=argparse.SUPPRESS, help=text)
    given = vars(parser.parse_args(arguments))
    return Config(**{**PRESETS[given.pop("preset")], **given})
