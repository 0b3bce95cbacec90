"""Pre-training of published networks on rendered micro-expressions, and the provenance of pre-trained weights."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mer.models.registry import new_model
from mer.synth.flow_degradation import as_8bit_image
from mer.utils.atomic_files import write_whole

if TYPE_CHECKING:
    from torch import nn

    from mer.synth.micro_flows import MicroFlows

# Networks that take images of a flow field and are small enough to train on thousands of clips in memory.
PRETRAINABLE = ("off-apexnet", "ststnet", "sssnet", "rcn-a", "dual-inception", "htnet", "symnet")
_PUBLISHED_CLIPS = 442  # of the composite database, for which the numbers of epochs were published


def pretrain(
    name: str,
    rendered: MicroFlows,
    path: str | Path,
    record: dict[str, Any],
    seed: int = 0,
    epochs: int | None = None,
) -> None:
    """Train a network on rendered clips with its published settings, and write its weights as `.safetensors`.

    :class:`mer.models.TorchClassifier` starts from these weights if its parameter `pretrained` names the file.

    Parameters
    ----------
    name : str
        One of :data:`PRETRAINABLE`.
    rendered : MicroFlows
        With the same crop as the labeled clips of the later training.
    path : str or Path
    record : dict
        Description of the clips. It goes into the header of the file, and from there into every result
        (:func:`seen_before`).
    seed : int
    epochs : int, optional
        By default, the network sees as many clips as its published number of epochs shows of 442 clips.
    """
    from safetensors.torch import save

    if name not in PRETRAINABLE:
        raise ValueError(f"{name} cannot be pre-trained on rendered flow; {', '.join(PRETRAINABLE)} can")
    flows = rendered.flows if rendered.crop == "aligned" else np.stack([as_8bit_image(flow) for flow in rendered.flows])
    estimator = new_model(name, seed)
    classifier = estimator[-1]
    if epochs is None:
        epochs = max(1, round(classifier.epochs * _PUBLISHED_CLIPS / len(flows)))
    classifier.set_params(epochs=epochs)
    estimator.fit(flows, rendered.labels)
    state = classifier.network_.state_dict()
    side = round((classifier.n_features_in_ / classifier.channels) ** 0.5)
    wider = classifier.network(classifier.channels, side, len(classifier.classes_) + 1).state_dict()
    training = {
        "model": name,
        "epochs": epochs,
        "seed": seed,
        "crop": rendered.crop,
        "classes": classifier.classes_.tolist(),
        "head": [key for key in state if state[key].shape != wider[key].shape],  # depend on the number of classes
    }
    tensors = {key: value.cpu().contiguous() for key, value in state.items()}
    with write_whole(Path(path), "wb") as file:
        file.write(save(tensors, metadata={"mer": json.dumps({**record, **training}, sort_keys=True)}))


def take_weights(network: nn.Module, path: str | Path, classes: Sequence[str]) -> set[str]:
    """Load weights of :func:`pretrain` into `network`; returns the names of the loaded parameters.

    The last layer keeps its random weights if the file was trained for other classes than `classes`.
    """
    from safetensors.torch import load_file

    record = read_record(path)
    skipped = [] if record.get("classes") == [str(name) for name in classes] else record.get("head", [])
    state = {name: value for name, value in load_file(str(path)).items() if name not in skipped}
    expected = {name: value.shape for name, value in network.state_dict().items() if name not in skipped}
    if expected != {name: value.shape for name, value in state.items()}:
        raise ValueError(f"{path} holds weights of another network; pre-train one with the same model and settings")
    network.load_state_dict(state, strict=False)
    return set(state)


def read_record(path: str | Path) -> dict[str, Any]:
    """The record in the header of a `.safetensors` file written by mer: training data, their number, seed, ..."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), "np") as file:
            record: dict[str, Any] = json.loads((file.metadata() or {}).get("mer", "{}"))
            return record
    except FileNotFoundError:
        raise FileNotFoundError(f"no weights at {path}") from None
    except SafetensorError as error:
        raise ValueError(f"{path} is not a .safetensors file ({error})") from error


def seen_before(estimator: Any) -> str:
    """Description of the synthetic data that the weights of an unfitted estimator were trained on, or "none"."""
    parts = [estimator, *estimator.get_params().values()] if hasattr(estimator, "get_params") else []
    files = {str(file): None for part in parts if (file := getattr(part, "pretrained_file", None)) is not None}
    return "; ".join(map(_describe, files)) or "none"


def _describe(path: str) -> str:
    digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    card = Path(path).with_suffix(".json")  # beside the weights of flow networks
    if card.is_file():
        content = json.loads(card.read_text(encoding="utf-8"))
        data = content.get("trained_on") or content.get("data") or "not told"
        return f"{content.get('name', card.stem)}, a flow network: {data} Weights SHA-256 {digest[:16]}"
    record = read_record(path)
    faces = ", ".join(record.get("faces", [])) or "not told"
    amount = f"{record.get('clips', '?')} clips of {record.get('people', '?')} synthetic people; faces: {faces}"
    return f"{record.get('data', 'not told')}: {amount}; weights SHA-256 {digest[:16]}"
