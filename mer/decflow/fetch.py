"""Weights from the network: whole and as expected, or not at all."""

from __future__ import annotations

import json
import re
import shutil
import urllib.request
from pathlib import Path
from typing import Any

from mer.decflow.weights import WeightsError, count_parameters, read_tensors, sha256, weights_folder
from mer.utils.atomic_files import write_json, write_whole


def fetch(url: str, expected: str, name: str) -> Path:
    """Download weights with the expected SHA-256 into :func:`mer.decflow.weights.weights_folder`, whole or not at all.

    Parameters
    ----------
    url : str
        `https://...` (or `file://...`).
    expected : str
        SHA-256 in hexadecimal.
    name : str
        The weights' name from then on, under which `mer weights` lists them, and the methods find them: weights called
        `decflow` go before those of the package.

    Raises
    ------
    WeightsError
        For another hash, another kind of address, or a server that does not answer.
    """
    expected = expected.strip().lower()
    if not url.startswith(("https://", "file://")):
        raise WeightsError(f"{url}: weights are fetched over https")
    if not re.fullmatch(r"[\w.-]+", name) or name.startswith("."):
        raise WeightsError(f"{name!r} is no name for weights; letters, digits, - and _ will do")
    path = weights_folder() / f"{name}.safetensors"
    if path.exists() and sha256(path) == expected:
        return path
    with write_whole(path, "wb") as file:
        try:
            with urllib.request.urlopen(url, timeout=60) as response:
                shutil.copyfileobj(response, file)
        except OSError as error:  # urllib's errors are of this kind
            raise WeightsError(f"{url} cannot be fetched ({error})") from error
        file.flush()
        found = sha256(file.name)
        if found != expected:
            raise WeightsError(f"{url}: SHA-256 is {found}, expected {expected}; nothing was kept")
        count = count_parameters(read_tensors(file.name))
    card = {**_fetched_card(url, expected), "name": name, "file": path.name, "bytes": path.stat().st_size}
    write_json(path.with_suffix(".json"), {"parameters": count, **card, "source": url, "sha256": expected})
    return path


def _fetched_card(url: str, expected: str) -> dict[str, Any]:
    """The card that stands beside the weights at their address, if it is theirs."""
    try:
        with urllib.request.urlopen(url.removesuffix(".safetensors") + ".json", timeout=60) as response:
            card = json.loads(response.read(1 << 20))
    except (OSError, ValueError):
        return {}
    return card if isinstance(card, dict) and card.get("sha256") == expected else {}
