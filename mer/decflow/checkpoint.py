"""What a training run leaves: a checkpoint that it goes on from, and its averaged weights with their card."""

from __future__ import annotations

import io
import shlex
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mer.decflow.config import Config
from mer.decflow.weights import save_weights
from mer.utils.atomic_files import write_whole

PARTS = {"network", "optimizer", "average", "step", "sums", "config"}
# Where and how a run runs may change from one part of it to the next.
FREE = {"out", "resume", "device", "threads", "workers", "val_every", "val_pairs", "save_minutes", "stop_minutes"}
FREE |= {"log_every", "tensorboard"}


def save(
    out: Path,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    average: dict[str, Tensor],
    step: int,
    sums: dict[str, float],
    config: Config,
    measured: dict[str, float],
) -> None:
    """Write `weights.safetensors`, its card and `checkpoint.pt` into `out`, each whole or not at all.

    Parameters
    ----------
    average : dict
        The averaged weights, by the names of the network's state.
    sums : dict
        What has been added up since the last row of `log.csv`.
    measured : dict
        The last validation: errors in pixels.
    """
    card = {
        "name": out.name,
        "network": config.network,
        "licence": "that of whoever trained them",
        "trained_on": f"{step} steps of {config.batch} pairs at {config.size} px from {', '.join(config.data)}",
        "command": _command(),
        "settings": {name: value for name, value in asdict(config).items() if name not in FREE},
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "measured": {"what": "end-point error inside the face, px, on validation people", **measured},
    }
    save_weights(out / "weights.safetensors", average, card)
    state = {
        "network": network.state_dict(), "optimizer": optimizer.state_dict(), "average": average, "step": step,
        "sums": sums, "config": asdict(config),
    }  # fmt: skip
    # In memory first: an end in the middle of it must not find torch's writer inside a file that is being removed.
    whole = io.BytesIO()
    torch.save(state, whole)
    with write_whole(out / "checkpoint.pt", "wb") as file:
        file.write(whole.getbuffer())


def _command() -> str:
    """What was typed; `torchrun` and `python -m` give the path of the module."""
    program = Path(sys.argv[0]).name
    return shlex.join(["python", "-m", "mer.decflow.train"] if program == "train.py" else [program]) + "".join(
        f" {shlex.quote(argument)}" for argument in sys.argv[1:]
    )


def read_checkpoint(path: Path, device: torch.device, config: Config) -> dict[str, Any]:
    """The state to go on from; `ValueError` for a damaged file, and for a run with other settings."""
    try:
        state = torch.load(path, map_location=device, weights_only=True)
    except Exception as error:  # torch raises many kinds for a damaged file, or one that holds more than weights
        raise ValueError(f"{path} is damaged, or no checkpoint of a run; remove it to begin anew") from error
    if not isinstance(state, dict) or not set(state) >= PARTS - {"sums"}:
        raise ValueError(f"{path} is no checkpoint of a run; remove it to begin anew")
    before = state["config"]
    changed = [name for name, value in asdict(config).items() if name not in FREE and before.get(name) != value]
    if changed:
        was = ", ".join(f"--{name.replace('_', '-')} {before.get(name)}" for name in changed)
        raise ValueError(
            f"the run was started with {was}; resume it with the same. To train longer or otherwise, begin another run "
            f"from its weights: --init {path.with_name('weights.safetensors')}"
        )
    return {"sums": {}, **state}
