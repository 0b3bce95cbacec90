"""Weights from elsewhere: the authors' checkpoint, converted, and files from the web, checked."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

import requests

from mer.decflow.networks import build
from mer.decflow.weights import (
    WeightsError,
    count_parameters,
    fill,
    read_tensors,
    save_weights,
    sha256,
    shorten,
    weights_folder,
)
from mer.utils.atomic_files import write_json, write_whole

LARGEST = 1 << 30  # bytes of a file of weights
LARGEST_CARD = 1 << 20  # bytes
_TIMEOUT = 60  # seconds without an answer


def convert(source: str | Path, out: str | Path | None = None) -> Path:
    """Write the authors' checkpoint as safetensors, with a card.

    Parameters
    ----------
    source : str or Path
        `decflow-facialflownet.pth`: a pickled state dict whose keys may start with `module.`. No code in it is run.
    out : str or Path, optional
        By default `decflow-paper.safetensors` in :func:`mer.decflow.weights.weights_folder`.

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
        raise FileNotFoundError(f"{source} does not exist")
    tensors = read_tensors(source, pickled=True)
    invalid = [key for key, value in tensors.items() if value.is_floating_point() and not value.isfinite().all()]
    if invalid:
        raise WeightsError(f"{source} holds values that are not finite, in {shorten(invalid)}")
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
        "measured": "not measured; use `mer evaluate-flow DATA --method decflow-paper`",
        "command": f"mer weights convert {source.name}",
    }
    return save_weights(out, network, card)


def fetch(url: str, expected: str, name: str, card_sha256: str | None = None) -> Path:
    """Download weights over https into :func:`mer.decflow.weights.weights_folder`, complete and checked, or not at all.

    The card records what is computed from the weights. A card at the same address (`.json` instead of `.safetensors`)
    is added only if its own hash is given, since it is not covered by the hash of the weights.

    Parameters
    ----------
    url : str
        `https://...`
    expected : str
        SHA-256 of the file, hexadecimal.
    name : str
        Name of the weights from now on. Weights called `decflow` take precedence over those in the package.
    card_sha256 : str, optional
        SHA-256 of the card.

    Raises
    ------
    WeightsError
        For another hash, another protocol (also after a redirect), a file over 1 GiB, one that does not hold weights,
        or a server that does not answer.
    """
    expected = _check_hash(expected)
    if not re.fullmatch(r"[\w.-]+", name) or name.startswith("."):
        raise WeightsError(f"{name!r} is not a valid name for weights; use letters, digits, - and _")
    path = weights_folder() / f"{name}.safetensors"
    if path.exists() and sha256(path) == expected and card_sha256 is None:
        return path
    with tempfile.TemporaryDirectory() as folder:
        file = _download(url, expected, Path(folder, "new.safetensors"), LARGEST)
        card: dict[str, Any] = {"parameters": count_parameters(read_tensors(file))}
        if card_sha256 is not None:
            address = url.removesuffix(".safetensors") + ".json"
            published = _download(address, _check_hash(card_sha256), Path(folder, "new.json"), LARGEST_CARD)
            card |= {**_read_published_card(published, address, expected), "card_sha256": card_sha256.strip().lower()}
        # An old card beside new weights would report them as damaged.
        path.with_suffix(".json").unlink(missing_ok=True)
        with write_whole(path, "wb") as out, open(file, "rb") as weights:
            shutil.copyfileobj(weights, out)
    card |= {"name": name, "file": path.name, "bytes": path.stat().st_size, "source": url, "sha256": expected}
    write_json(path.with_suffix(".json"), card)
    return path


def _check_hash(text: str) -> str:
    digest = text.strip().lower()
    if not re.fullmatch(r"[0-9a-f]{64}", digest):
        raise WeightsError(f"{text!r} is not a SHA-256; expected 64 hexadecimal digits")
    return digest


def _download(url: str, expected: str, path: Path, largest: int) -> Path:
    import pooch

    def stream(url: str, file: str, _: Any) -> None:
        size = 0
        with new_session() as session, open(file, "wb") as out:
            answer = session.get(url, stream=True, timeout=_TIMEOUT)
            answer.raise_for_status()
            for block in answer.iter_content(1 << 20):
                size += len(block)
                if size > largest:
                    raise WeightsError(f"{url} is larger than {largest >> 20} MiB; nothing was kept")
                out.write(block)

    if not url.startswith("https://"):
        raise WeightsError(f"{url}: weights are fetched over https")
    pooch.get_logger().setLevel("WARNING")
    try:
        pooch.retrieve(url, f"sha256:{expected}", path.name, path.parent, downloader=stream)
    except WeightsError:
        raise
    except OSError as error:  # the errors of requests are of this type
        raise WeightsError(f"{url} cannot be fetched ({error})") from error
    except ValueError as error:  # of pooch, for another hash
        raise WeightsError(f"the file at {url} does not have the SHA-256 {expected}; nothing was kept") from error
    return path


def new_session() -> requests.Session:
    """A session that refuses plain http, also as the target of a redirect."""
    session = requests.Session()
    del session.adapters["http://"]
    return session


def _read_published_card(path: Path, address: str, expected: str) -> dict[str, Any]:
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise WeightsError(f"{address} is not a card ({error}); nothing was kept") from error
    if not isinstance(card, dict) or card.get("sha256", expected) != expected:
        raise WeightsError(f"{address} is not the card of these weights; nothing was kept")
    return card
