"""What a training starts from: weights of the same network, or, for the published one, of its parts.

Stage 1 of the paper starts from GMA, which has the encoders, the attention and one decoder, and from a ResNet-50 that
has been trained on pictures. Files may be `.safetensors` or PyTorch's `.pth`, which is read as arrays alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from torch import Tensor, nn

from mer.decflow.weights import WeightsError, fill, read_tensors

# pytorchcv's names of a ResNet-50, which is what the semantic encoder is; its last stage has no place there.
_RESNET = (
    (r"^features\.init_block\.", "dad_encoder.model.0."),
    (r"^features\.stage([123])\.", r"dad_encoder.model.\1."),
)
_NO_PLACE = re.compile(r"^(features\.stage4|output)\.")
HEAD, FACIAL = "update_block_head.", "update_block."


def start_from(network: nn.Module, files: Iterable[str | Path]) -> list[str]:
    """Give a network the weights of one file, or of several that each hold parts of it.

    Parameters
    ----------
    network : Module
        Of :mod:`mer.decflow.networks`.
    files : iterable of path
        Where two have the same part, the last counts. GMA's and pytorchcv's names are known; a head decoder that no
        file has starts as a copy of the facial one.

    Returns
    -------
    list of str
        The parts that keep their random start, such as `res1`. Only the published network may have any.

    Raises
    ------
    WeightsError
        Lists the keys that are left over, of another shape, or missing.
    """
    files = list(files)
    tensors: dict[str, Tensor] = {}
    for file in files:
        tensors |= _renamed(read_tensors(file)) if _of_parts(network) else read_tensors(file)
    if not tensors:
        return _parts(network.state_dict())
    if _of_parts(network) and not any(key.startswith(HEAD) for key in tensors):
        tensors |= {HEAD + key.removeprefix(FACIAL): v for key, v in tensors.items() if key.startswith(FACIAL)}
    expected = network.state_dict()
    known = set(_parts(tensors))
    new = [part for part in _parts(expected) if part not in known] if _of_parts(network) else []
    kept = {key: value for key, value in expected.items() if key.split(".")[0] in new}
    try:
        fill(network, kept | tensors, " and ".join(Path(file).name for file in files))
    except WeightsError as error:
        raise WeightsError(f"--init: {error}") from error
    return new


def _of_parts(network: nn.Module) -> bool:
    return hasattr(network, "dad_encoder")


def _parts(keys: Iterable[str]) -> list[str]:
    """The first words of keys, each once."""
    return list(dict.fromkeys(key.split(".")[0] for key in keys))


def _renamed(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    renamed = {}
    for key, value in tensors.items():
        if _NO_PLACE.match(key):
            continue
        for pattern, name in _RESNET:
            key = re.sub(pattern, name, key)
        renamed[key] = value
    return renamed
