"""Weights: safetensors files, each with a card, in the package, in the user's folder or at a path.

A card is `<name>.json` next to `<name>.safetensors`: network, SHA-256, number of parameters, licence, data, command and
measured errors. Weights are read as plain arrays; no code in a file is run.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import warnings
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mer.decflow.networks import build
from mer.utils.atomic_files import write_json, write_whole

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

SHIPPED = Path(__file__).with_name("weights")
_STATISTIC = re.compile(r"running_(mean|var)$|num_batches_tracked$")  # of batch normalization, not parameters


class WeightsError(ValueError):
    """Missing or unsuitable weights; the message says what is missing and what to do."""


def weights_folder() -> Path:
    """Folder of the user's own weights: `MER_WEIGHTS`, by default `~/.mer/weights`."""
    return Path(os.environ.get("MER_WEIGHTS") or Path.home() / ".mer" / "weights")


def find_weights(name: str | Path) -> Path:
    """The file of weights given by path or by name; the user's folder takes precedence over the package.

    Raises
    ------
    WeightsError
        Lists the places searched.
    """
    path = Path(name)
    if path.suffix == ".safetensors":
        if path.exists():
            return path
        raise WeightsError(f"{path} does not exist")
    if os.environ.get("MER_WEIGHTS") and not weights_folder().is_dir():
        raise WeightsError(f"MER_WEIGHTS names the folder {weights_folder()}, which does not exist")
    candidates = [folder / f"{name}.safetensors" for folder in (weights_folder(), SHIPPED)]
    for candidate in candidates:
        if candidate.exists():
            return candidate
    searched = " or ".join(map(str, candidates))
    if str(name) == "decflow-paper":
        raise WeightsError(
            f"no weights for decflow-paper ({searched}). Download the authors' decflow-facialflownet.pth "
            f"(github.com/RIA1159/FacialFlowNet) and run: mer weights convert decflow-facialflownet.pth"
        )
    raise WeightsError(f"no weights {name!r} ({searched}); `mer weights` lists the installed weights")


def load_network(name: str, weights: str | Path, device: torch.device | str = "cpu") -> nn.Module:
    """The network `name` with its weights, for inference; cached until the file changes."""
    path = find_weights(weights)
    return _load_cached(name, str(path), path.stat().st_mtime_ns, str(device))


@lru_cache(maxsize=4)
def _load_cached(name: str, path: str, modified: int, device: str) -> nn.Module:
    import torch

    _check_hash(Path(path))
    with torch.random.fork_rng(devices=[]):  # random initial weights must not change the caller's random numbers
        network = build(name)
    fill(network, read_tensors(path), Path(path).name)
    network.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # faster on a CPU
    return network.eval()


def read_tensors(path: str | Path, *, pickled: bool = False) -> dict[str, Tensor]:
    """The arrays of a safetensors file or of a PyTorch checkpoint, of which no code is run.

    The prefix `module.` that parallel training adds to each key of a checkpoint is removed.

    Parameters
    ----------
    pickled : bool
        The file is a PyTorch checkpoint even if its name does not end in `.pth` or `.pt`.

    Raises
    ------
    WeightsError
        If the file is neither.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = Path(path)
    if not path.is_file():
        raise WeightsError(f"{path} does not exist")
    if pickled or path.suffix in (".pth", ".pt"):
        return _read_checkpoint(path)
    try:
        return load_file(str(path))
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path} is not a readable safetensors file ({error})") from error


def _read_checkpoint(path: Path) -> dict[str, Tensor]:
    import torch

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about old file formats
            state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many types for a file that is no checkpoint, or one that holds code
        # torch's own message suggests running the code in the file.
        code = "weights_only" in str(error).casefold()
        reason = "it holds more than arrays" if code else "it is damaged, or not a checkpoint"
        raise WeightsError(f"{path} cannot be read as weights: {reason}. No code in it was run") from error
    if isinstance(state, dict) and isinstance(state.get("state_dict"), dict):
        state = state["state_dict"]
    if not isinstance(state, dict) or not all(
        isinstance(k, str) and isinstance(v, torch.Tensor) for k, v in state.items()
    ):
        raise WeightsError(f"{path} holds no state dict (key -> array)")
    return {key.removeprefix("module."): value for key, value in state.items()}


def fill(network: nn.Module, tensors: dict[str, Tensor], source: str) -> None:
    """Load weights into a network; `WeightsError` lists the keys that do not fit."""
    expected = network.state_dict()
    faults = {
        "missing": sorted(set(expected) - set(tensors)),
        "left over": sorted(set(tensors) - set(expected)),
        "of another shape": sorted(k for k in set(expected) & set(tensors) if expected[k].shape != tensors[k].shape),
    }
    if any(faults.values()):
        details = "; ".join(f"{len(keys)} {kind}: {shorten(keys)}" for kind, keys in faults.items() if keys)
        raise WeightsError(f"{source} does not fit {type(network).__name__}: {details}")
    network.load_state_dict(tensors)


def shorten(keys: list[str], most: int = 20) -> str:
    """The first keys of a list, for a message."""
    return ", ".join(keys[:most]) + (f" and {len(keys) - most} more" if len(keys) > most else "")


def save_weights(path: str | Path, weights: nn.Module | dict[str, Tensor], card: dict[str, Any]) -> Path:
    """Write `path` (.safetensors) and its card, each whole or not at all.

    File name, size, SHA-256 and number of parameters are added to the card.
    """
    from safetensors.torch import save

    path = Path(path)
    state = weights if isinstance(weights, dict) else weights.state_dict()
    # Clones: batch normalization in a shortcut has two names, and safetensors does not accept shared memory.
    arrays = {key: value.detach().cpu().clone().contiguous() for key, value in state.items()}
    data = save(arrays)
    card = {
        "parameters": (
            count_parameters(arrays) if isinstance(weights, dict) else sum(p.numel() for p in weights.parameters())
        ),
        **card,
        "file": path.name,
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
    }
    # An old card beside new weights would report them as damaged.
    path.with_suffix(".json").unlink(missing_ok=True)
    with write_whole(path, "wb") as file:
        file.write(data)
    write_json(path.with_suffix(".json"), card)
    return path


def count_parameters(arrays: dict[str, Tensor]) -> int:
    """Numbers in a state dict, without the statistics of batch normalization."""
    return sum(value.numel() for key, value in arrays.items() if not _STATISTIC.search(key))


def read_card(path: str | Path) -> dict[str, Any]:
    """The card of a file of weights; empty if there is none."""
    card = Path(path).with_suffix(".json")
    if not card.is_file():
        return {}
    try:
        content = json.loads(card.read_text(encoding="utf-8"))
    except ValueError as error:
        raise WeightsError(f"{card} is damaged ({error}); remove it, or fetch the weights again") from error
    return content if isinstance(content, dict) else {}


def _check_hash(path: Path) -> None:
    """Raise `WeightsError` if a file does not match its card."""
    expected, actual = read_card(path).get("sha256"), sha256(path)
    if expected and actual != expected:
        raise WeightsError(f"{path} does not match its card: its SHA-256 is {actual}, not {expected}")


def list_weights() -> list[dict[str, Any]]:
    """The cards of all installed weights, the user's first; each with the `path` of its file."""
    cards: list[dict[str, Any]] = []
    for folder in (weights_folder(), SHIPPED):
        for path in sorted(folder.glob("*.safetensors")):
            card, digest = read_card(path), sha256(path)
            if card.get("sha256", digest) != digest:
                card["damaged"] = f"the file's SHA-256 is {digest}"
            if any(Path(other["path"]).stem == path.stem for other in cards):
                card["used"] = "no; the user's own weights of that name take precedence"
            cards.append({"name": path.stem, "sha256": digest, "bytes": path.stat().st_size, **card, "path": str(path)})
    return cards


def sha256(path: str | Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
