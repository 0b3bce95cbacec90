"""Settings of a training run, and the command line made from them.

The command line is argparse, since typer has no option that takes several values (`--data A B`), and torchrun starts
the module without `mer`.
"""

from __future__ import annotations

import argparse
from dataclasses import Field, dataclass, field, fields
from typing import Any, NoReturn

from mer.decflow.networks import NETWORKS, ONE_FIELD

PARTS = ("all", "head")  # parts of a network that can be trained


def setting(
    default: Any,
    help: str = "",
    *,
    at_least: float | None = None,
    above: float | None = None,
    metavar: str | None = None,
    fixed: bool = True,
) -> Any:
    """A field of :class:`Config`.

    Parameters
    ----------
    at_least, above : float, optional
        Bounds of a number, inclusive and exclusive.
    metavar : str, optional
        Placeholder in the help text.
    fixed : bool
        A resumed run needs the same value.
    """
    metadata = {"help": help, "at_least": at_least, "above": above, "metavar": metavar, "fixed": fixed}
    if isinstance(default, list):
        return field(default_factory=lambda: list(default), metadata=metadata)
    return field(default=default, metadata=metadata)


def flag(name: str) -> str:
    return "--" + name.replace("_", "-")


@dataclass
class Config:
    """Settings of a training run; the command line has a flag for each."""

    data: list[str] = setting(  # noqa: RUF009
        [],
        "portraits, FacialFlowNet's layout, render:MODEL[=FILE][@FACES] or generic; several sources alternate",
        metavar="DATA",
    )
    out: str = setting("decflow_run", "folder of the run", fixed=False)
    network: str = setting("lite", ", ".join(NETWORKS))
    init: list[str] = setting(  # noqa: RUF009
        [],
        "initial weights, .safetensors or .pth; for paper, also several files with parts of the network",
        metavar="FILE",
    )
    train: str = setting("all", "all, or head: only the head decoder")
    resume: bool = setting(False, "resume from the checkpoint in the run's folder", fixed=False)
    seed: int = setting(1234, at_least=0)
    # schedule
    steps: int = setting(20_000, at_least=1)
    batch: int = setting(8, "pairs, over all processes", at_least=1)
    size: int = setting(128, "side of the crops, pixels", at_least=32)
    iterations: int = setting(3, "refinements of the flow", at_least=1)
    lr: float = setting(1e-3, "highest learning rate of the one-cycle schedule", above=0)
    warmup: float = setting(0.05, "fraction of the steps in which the learning rate rises", at_least=0)
    weight_decay: float = setting(1e-5)
    clip: float = setting(1.0, "largest norm of the gradient", above=0)
    ema: float = setting(0.999, "decay of the averaged weights", at_least=0)
    # loss, see mer.decflow.losses
    facial: float = setting(1.0, "weight of the facial term in the loss")
    head: float = setting(0.8, "weight of the head term")
    expression: float = setting(1.5, "weight of the expression term")
    gamma: float = setting(0.85, "weight of an iterate relative to the next one", above=0)
    face_mask: bool = setting(True, "give pixels outside the face a small weight")
    occlusion_mask: bool = setting(True, "ignore pixels that are hidden in the apex")
    power: float = setting(1.0, "1: the paper's absolute error; below 1, subpixel errors weigh more", above=0)
    # running
    device: str = setting("auto", "auto, cpu, cuda or cuda:1", fixed=False)
    threads: int = setting(1, "torch threads per process", at_least=1, fixed=False)
    workers: int = setting(0, "processes that prepare pairs, per training process", at_least=0, fixed=False)
    val_pairs: int = setting(64, "pairs of validation people, who are never trained on", at_least=1, fixed=False)
    val_every: int = setting(500, "steps between validations", at_least=1, fixed=False)
    log_every: int = setting(50, "steps per row of log.csv", at_least=1, fixed=False)
    save_minutes: float = setting(3.0, "minutes between checkpoints", fixed=False)
    stop_minutes: float = setting(0.0, "save and stop after this many minutes; 0: never", fixed=False)
    tensorboard: bool = setting(False, "also write curves and flow pictures for TensorBoard", fixed=False)

    def __post_init__(self) -> None:
        for item in fields(self):
            value, low, above = getattr(self, item.name), item.metadata["at_least"], item.metadata["above"]
            if low is not None and value < low:
                raise ValueError(f"{flag(item.name)} is {value}; expected {low:g} or more")
            if above is not None and not value > above:
                raise ValueError(f"{flag(item.name)} is {value}; expected a number above {above:g}")
        if self.size % 32:
            raise ValueError(f"--size is {self.size}; expected a multiple of 32, such as {self.size // 32 * 32 + 32}")
        if self.ema >= 1:
            raise ValueError(f"--ema is {self.ema}; expected a number below 1")
        if self.warmup > 1:
            raise ValueError(f"--warmup is {self.warmup}; expected 0 to 1")
        if self.network not in NETWORKS:
            raise ValueError(f"unknown network {self.network!r}; choose from {', '.join(NETWORKS)}")
        if self.train not in PARTS:
            raise ValueError(f"unknown part {self.train!r} to train; choose from {', '.join(PARTS)}")
        if self.network != "lite" and self.size < 128:
            raise ValueError(f"--size is {self.size}; {self.network} needs at least 128")
        if self.network in ONE_FIELD and self.train != "all":
            raise ValueError(f"{self.network} has no head decoder; use --train all")


FIXED = {item.name for item in fields(Config) if item.metadata["fixed"]}  # a resumed run needs the same values

_PAPER: dict[str, Any] = {
    "network": "paper", "steps": 10_000, "batch": 6, "size": 480, "iterations": 12, "lr": 1.25e-4,
    "face_mask": False, "occlusion_mask": False,
}  # fmt: skip
# `lite`: common to all stages of the shipped weights. `paper-1` and `paper-2`: the two stages of FacialFlowNet,
# Section 4.3.
PRESETS: dict[str, dict[str, Any]] = {
    "lite": {"batch": 4, "iterations": 2, "power": 0.7},
    "paper-1": _PAPER,
    "paper-2": {**_PAPER, "train": "head"},
    "raft": {"network": "raft-small", "batch": 4, "iterations": 12, "lr": 1e-4},
}
PRESET = "lite"


class _Parser(argparse.ArgumentParser):
    """Reports a wrong flag in one line, without the usage."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; --help lists the flags\n")


def parse(
    arguments: list[str] | None = None,
    description: str | None = None,
    program: str = "python -m mer.decflow.train",
) -> Config:
    """The configuration of a command line: a preset, overridden by the other flags."""
    parser = _Parser(program, description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", choices=PRESETS, default=PRESET, help=f"initial settings (default: {PRESET})")
    for item in fields(Config):
        _add_flag(parser, item, PRESETS[PRESET].get(item.name, item.default))
    values = vars(parser.parse_args(arguments))
    return Config(**{**PRESETS[values.pop("preset")], **values})


def _add_flag(parser: argparse.ArgumentParser, item: Field, default: Any) -> None:
    """Flags that are not given stay absent from the result, so that they do not override the preset."""
    kinds: dict[str, dict[str, Any]] = {
        "list[str]": {"nargs": "+", "metavar": item.metadata["metavar"]},
        "bool": {"action": argparse.BooleanOptionalAction},
        "int": {"type": int},
        "float": {"type": float},
        "str": {"type": str},
    }
    text, kind = item.metadata["help"], str(item.type)
    if kind != "list[str]":
        shown = ("yes" if default else "no") if kind == "bool" else default
        text = f"{text} (default: {shown})".strip()
    parser.add_argument(flag(item.name), default=argparse.SUPPRESS, help=text, **kinds[kind])
