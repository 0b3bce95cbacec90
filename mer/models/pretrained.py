"""Weights that have seen rendered micro-expressions, and what a result says about them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn


def read_record(path: str | Path) -> dict[str, Any]:
    """What stands in the header of a `.safetensors` file that mer wrote: the data, how much of it, the seed."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), "np") as file:
            record: dict[str, Any] = json.loads((file.metadata() or {}).get("mer", "{}"))
            return record
    except FileNotFoundError:
        raise FileNotFoundError(f"no weights at {path}") from None
    except SafetensorError as error:
        raise ValueError(f"{path} is not a .safetensors file ({error})") from error


def take_weights(network: nn.Module, path: str | Path, classes: Sequence[str]) -> set[str]:
    """Start `network` from the weights of :func:`mer.models.pretraining.pretrain`; the names of those taken.

    The last layer stays new where the weights were trained to tell other classes than `classes`.
    """
    from safetensors.torch import load_file

    record = read_record(path)
    new = [] if record.get("classes") == [str(name) for name in classes] else record.get("head", [])
    state = {name: value for name, value in load_file(str(path)).items() if name not in new}
    expected = {name: value.shape for name, value in network.state_dict().items() if name not in new}
    if expected != {name: value.shape for name, value in state.items()}:
        raise ValueError(f"{path} holds weights of another network; pre-train one with the same model and settings")
    network.load_state_dict(state, strict=False)
    return set(state)


def seen_before(estimator: Any) -> str:
    """In words, the synthetic data that an estimator saw before anything is fitted; "none" if there are none."""
    parts = [estimator, *estimator.get_params().values()] if hasattr(estimator, "get_params") else []
    files = {str(file): None for part in parts if (file := getattr(part, "pretrained_file", None)) is not None}
    return "; ".join(map(_in_words, files)) or "none"


def _in_words(path: str) -> str:
    digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    card = Path(path).with_suffix(".json")  # flow networks have one
    if card.is_file():
        known = json.loads(card.read_text(encoding="utf-8"))
        seen = known.get("trained_on") or known.get("data") or "not told"
        return f"{known.get('name', card.stem)}, a flow network: {seen} Weights SHA-256 {digest[:16]}"
    record = read_record(path)
    faces = ", ".join(record.get("faces", [])) or "not told"
    amount = f"{record.get('clips', '?')} clips of {record.get('people', '?')} synthetic people; faces: {faces}"
    return f"{record.get('data', 'not told')}: {amount}; weights SHA-256 {digest[:16]}"
