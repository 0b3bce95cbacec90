"""Files of a training run: the checkpoint from which it resumes, and the averaged weights with their card."""

from __future__ import annotations

import io
import shlex
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mer.decflow.config import FIXED, Config, flag
from mer.decflow.weights import save_weights
from mer.utils.atomic_files import write_whole

KEYS = {"network", "optimizer", "average", "step", "config"}  # of a checkpoint; older ones have no "sums"


@dataclass
class TrainingState:
    """Everything that changes during training.

    Attributes
    ----------
    average : dict
        Averaged weights, by the names of the network's state.
    step : int
        Steps done.
    sums : dict
        Loss and errors, summed since the last row of `log.csv`.
    """

    network: nn.Module
    optimizer: torch.optim.Optimizer
    average: dict[str, Tensor]
    step: int = 0
    sums: dict[str, float] = field(default_factory=dict)

    def restore(self, checkpoint: dict[str, Any]) -> None:
        """Continue from what :func:`read_checkpoint` returns."""
        self.network.load_state_dict(checkpoint["network"])
        self.optimizer.load_state_dict(checkpoint["optimizer"])
        self.average, self.step, self.sums = checkpoint["average"], checkpoint["step"], checkpoint["sums"]


def save(out: Path, state: TrainingState, config: Config, measured: dict[str, float]) -> None:
    """Write `weights.safetensors`, its card and `checkpoint.pt` to the folder `out`, each whole or not at all.

    `measured` holds the errors of the last validation, in pixels.
    """
    settings = asdict(config)
    card = {
        "name": out.name,
        "network": config.network,
        "licence": "that of whoever trained them",
        "trained_on": f"{state.step} steps of {config.batch} pairs at {config.size} px from {', '.join(config.data)}",
        "command": _command(),
        "settings": {name: value for name, value in settings.items() if name in FIXED},
        "parameters": sum(parameter.numel() for parameter in state.network.parameters()),
        "measured": {"what": "end-point error inside the face, px, on validation people", **measured},
    }
    save_weights(out / "weights.safetensors", state.average, card)
    checkpoint = {
        "network": state.network.state_dict(), "optimizer": state.optimizer.state_dict(), "average": state.average,
        "step": state.step, "sums": state.sums, "config": settings,
    }  # fmt: skip
    # In memory first: if the run is interrupted, torch's writer must not be inside a file that is being removed.
    buffer = io.BytesIO()
    torch.save(checkpoint, buffer)
    with write_whole(out / "checkpoint.pt", "wb") as file:
        file.write(buffer.getbuffer())


def _command() -> str:
    """The command line as typed; `torchrun` and `python -m` put the path of the module in its place."""
    program = Path(sys.argv[0]).name
    start = ["python", "-m", "mer.decflow.train"] if program == "train.py" else [program]
    return shlex.join([*start, *sys.argv[1:]])


def read_checkpoint(path: Path, device: torch.device, config: Config) -> dict[str, Any]:
    """The contents of `checkpoint.pt`.

    Raises
    ------
    ValueError
        For a damaged file, and for a run with other settings.
    """
    try:
        checkpoint = torch.load(path, map_location=device, weights_only=True)
    except Exception as error:  # torch raises many types for a damaged file, or one that holds more than weights
        raise ValueError(f"{path} is damaged, or not a checkpoint of a run; remove it to start over") from error
    if not isinstance(checkpoint, dict) or not set(checkpoint) >= KEYS:
        raise ValueError(f"{path} is not a checkpoint of a run; remove it to start over")
    before = checkpoint["config"]
    changed = [name for name, value in asdict(config).items() if name in FIXED and before.get(name) != value]
    if changed:
        settings = ", ".join(f"{flag(name)} {before.get(name)}" for name in changed)
        raise ValueError(
            f"the run was started with {settings}; resume it with the same settings, or start another run from its "
            f"weights: --init {path.with_name('weights.safetensors')}"
        )
    return {"sums": {}, **checkpoint}
