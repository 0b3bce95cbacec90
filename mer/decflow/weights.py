"""Weights: safetensors with a card beside each file, from the package, a folder, a path or a checked download.

A card is `<name>.json` next to `<name>.safetensors`: network, SHA-256, number of parameters, licence, data, command and
measured errors. Weights are read as plain arrays, never unpickled.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import warnings
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mer.decflow.networks import build
from mer.utils.atomic_files import write_json, write_whole

SHIPPED = Path(__file__).with_name("weights")
_STATISTIC = re.compile(r"running_(mean|var)$|num_batches_tracked$")  # of batch normalization: no parameters


class WeightsError(ValueError):
    """Weights that are not there or do not fit; the message says what is missing and what to do."""


def weights_folder() -> Path:
    """Where a user's own weights are kept: the folder that `MER_WEIGHTS` names, or `~/.mer/weights`."""
    return Path(os.environ.get("MER_WEIGHTS") or Path.home() / ".mer" / "weights")


def find_weights(name: str | Path) -> Path:
    """The file of weights given by path, or by name: first in the user's folder, then in the package.

    Raises
    ------
    WeightsError
        Lists the places where it was looked for.
    """
    path = Path(name)
    if path.suffix == ".safetensors":
        if path.exists():
            return path
        raise WeightsError(f"{path} is not there")
    if os.environ.get("MER_WEIGHTS") and not weights_folder().is_dir():
        raise WeightsError(f"MER_WEIGHTS names the folder {weights_folder()}, which is not there")
    places = [folder / f"{name}.safetensors" for folder in (weights_folder(), SHIPPED)]
    for place in places:
        if place.exists():
            return place
    looked = " or ".join(map(str, places))
    if str(name) == "decflow-paper":
        raise WeightsError(
            f"no weights for decflow-paper ({looked}). Download the authors' decflow-facialflownet.pth "
            f"(github.com/RIA1159/FacialFlowNet) and run: mer weights convert decflow-facialflownet.pth"
        )
    raise WeightsError(f"no weights {name!r} ({looked}); `mer weights` lists those there are")


def load_network(name: str, weights: str | Path, device: torch.device | str = "cpu") -> nn.Module:
    """The network `name` with its weights, for inference; kept in memory until the file changes."""
    path = find_weights(weights)
    return _loaded(name, str(path), path.stat().st_mtime_ns, str(device))


@lru_cache(maxsize=4)
def _loaded(name: str, path: str, changed: int, device: str) -> nn.Module:
    _check_hash(Path(path))
    with torch.random.fork_rng(devices=[]):  # whether it was in memory must not change the caller's random numbers
        network = build(name)
    fill(network, read_tensors(path), Path(path).name)
    network.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # faster on a CPU
    return network.eval()


def read_tensors(path: str | Path) -> dict[str, Tensor]:
    """The arrays of a safetensors file, or of a `.pth`, of which nothing is run; `WeightsError` if it is neither.

    The `module.` that parallel training puts before each key goes.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = Path(path)
    if not path.is_file():
        raise WeightsError(f"{path} is not there")
    if path.suffix in (".pth", ".pt"):
        return _read_checkpoint(path)
    try:
        return load_file(str(path))
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path} is not a readable safetensors file ({error})") from error


def _read_checkpoint(path: Path) -> dict[str, Tensor]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of old forms of the file
            state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a file that is no checkpoint, or one that holds code
        # torch's own words advise to run what is in the file.
        reason = "it holds more than arrays" if "weights_only" in str(error).casefold() else "it is damaged, or none"
        raise WeightsError(f"{path} cannot be read as weights alone: {reason}. Nothing in it was run") from error
    if isinstance(state, dict) and isinstance(state.get("state_dict"), dict):
        state = state["state_dict"]
    if not isinstance(state, dict) or not all(isinstance(k, str) and isinstance(v, Tensor) for k, v in state.items()):
        raise WeightsError(f"{path} holds no state dict (key -> array)")
    return {key.removeprefix("module."): value for key, value in state.items()}


def fill(network: nn.Module, tensors: dict[str, Tensor], source: str) -> None:
    """Give a network its weights, every key accounted for; `WeightsError` lists what does not fit."""
    expected = network.state_dict()
    faults = {
        "missing": sorted(set(expected) - set(tensors)),
        "left over": sorted(set(tensors) - set(expected)),
        "of another shape": sorted(k for k in set(expected) & set(tensors) if expected[k].shape != tensors[k].shape),
    }
    if any(faults.values()):
        said = "; ".join(f"{len(keys)} {kind}: {_some(keys)}" for kind, keys in faults.items() if keys)
        raise WeightsError(f"{source} does not fit {type(network).__name__}: {said}")
    network.load_state_dict(tensors)


def _some(keys: list[str], most: int = 20) -> str:
    return ", ".join(keys[:most]) + (f" and {len(keys) - most} more" if len(keys) > most else "")


def save_weights(path: str | Path, weights: nn.Module | dict[str, Tensor], card: dict[str, Any]) -> Path:
    """Write `path` (.safetensors) and its card, each whole or not at all; the card gets the hash and the counts."""
    from safetensors.torch import save

    path = Path(path)
    state = weights.state_dict() if isinstance(weights, nn.Module) else weights
    # Clones: batch normalization in a shortcut has two names, and safetensors holds no shared memory.
    arrays = {key: value.detach().cpu().clone().contiguous() for key, value in state.items()}
    data = save(arrays)
    full = {
        "parameters": (
            sum(value.numel() for value in weights.parameters())
            if isinstance(weights, nn.Module)
            else count_parameters(arrays)
        ),
        **card,
        "file": path.name,
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
    }
    # The card goes first, and comes last: beside weights that are newer than it, it would seem that they are damaged.
    path.with_suffix(".json").unlink(missing_ok=True)
    with write_whole(path, "wb") as file:
        file.write(data)
    write_json(path.with_suffix(".json"), full)
    return path


def count_parameters(arrays: dict[str, Tensor]) -> int:
    """Numbers in a state dict that are no statistics."""
    return sum(value.numel() for key, value in arrays.items() if not _STATISTIC.search(key))


def convert(source: str | Path, out: str | Path | None = None) -> Path:
    """The authors' checkpoint as safetensors.

    Parameters
    ----------
    source : str or Path
        `decflow-facialflownet.pth`: a pickled state dict whose keys may start with `module.`, read without running
        anything in it.
    out : str or Path, optional
        Where to write; `decflow-paper.safetensors` in :func:`weights_folder` where not given.

    Returns
    -------
    Path

    Raises
    ------
    WeightsError
        Lists the keys that are missing or left over.
    """
    source = Path(source)
    if not source.exists():
        raise FileNotFoundError(f"{source} is not there")
    tensors = _read_checkpoint(source)
    odd = [key for key, value in tensors.items() if value.is_floating_point() and not value.isfinite().all()]
    if odd:
        raise WeightsError(f"{source} holds values that are not finite, in {_some(odd)}")
    out = weights_folder() / "decflow-paper.safetensors" if out is None else Path(out)
    if out.suffix != ".safetensors":
        raise WeightsError(f"{out}: weights are .safetensors files; call it {out.with_suffix('.safetensors').name}")
    network = build("paper")
    fill(network, tensors, source.name)
    card = {
        "name": "decflow-paper",
        "network": "paper",
        "licence": "that of the checkpoint; the authors' code is Apache-2.0",
        "source": f"{source.name}, SHA-256 {sha256(source)}",
        "data": "FacialFlowNet (Lu et al., ACM MM 2024)",
        "measured": "nothing, by us; `mer evaluate-flow DATA --method decflow-paper` does",
        "command": f"mer weights convert {source.name}",
    }
    return save_weights(out, network, card)


def read_card(path: str | Path) -> dict[str, Any]:
    """The card beside a file of weights; blank where there is none."""
    card = Path(path).with_suffix(".json")
    if not card.is_file():
        return {}
    try:
        known = json.loads(card.read_text(encoding="utf-8"))
    except ValueError as error:
        raise WeightsError(f"{card} is damaged ({error}); remove it, or fetch the weights anew") from error
    return known if isinstance(known, dict) else {}


def _check_hash(path: Path) -> None:
    """`WeightsError` where a file is not the one that its card tells of."""
    expected = read_card(path).get("sha256")
    if expected and sha256(path) != expected:
        raise WeightsError(f"{path} is not what its card tells of: its SHA-256 is {sha256(path)}, not {expected}")


def list_weights() -> list[dict[str, Any]]:
    """The cards of all weights that are there, the user's first; each with the `path` of its file."""
    cards: list[dict[str, Any]] = []
    for folder in (weights_folder(), SHIPPED):
        for path in sorted(folder.glob("*.safetensors")):
            known = read_card(path)
            found = sha256(path)
            if known.get("sha256", found) != found:
                known["damaged"] = f"the file's SHA-256 is {found}"
            if any(Path(card["path"]).stem == path.stem for card in cards):
                known["used"] = "no; the user's own of that name go first"
            cards.append({"name": path.stem, "sha256": found, "bytes": path.stat().st_size, **known, "path": str(path)})
    return cards


def sha256(path: str | Path) -> str:
    """Of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
