"""Initial weights of a training run: those of the same network or, for the published network, of its parts.

Stage 1 of the paper starts from GMA, which has the encoders, the attention and one decoder, and from a ResNet-50
trained on images. Files may be `.safetensors` or PyTorch's `.pth`; no code in them is run.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from torch import Tensor, nn

from mer.decflow.weights import WeightsError, fill, read_tensors

# The semantic encoder is a ResNet-50 without its last stage; its names in pytorchcv, and ours.
_RESNET = (
    (r"^features\.init_block\.", "dad_encoder.model.0."),
    (r"^features\.stage([123])\.", r"dad_encoder.model.\1."),
)
_NOT_IN_NETWORK = re.compile(r"^(features\.stage4|output)\.")
HEAD, FACIAL = "update_block_head.", "update_block."


def start_from(network: nn.Module, files: Iterable[str | Path]) -> list[str]:
    """Load the weights of one file, or of several that each hold parts of the network.

    Parameters
    ----------
    network : Module
        Of :mod:`mer.decflow.networks`.
    files : iterable of path
        If two have the same part, the last one counts. The names of GMA and pytorchcv are known. If no file has a head
        decoder, it starts as a copy of the facial one.

    Returns
    -------
    list of str
        Parts that keep their random initial weights, such as `res1`; only the published network may have any.

    Raises
    ------
    WeightsError
        Lists the keys that are left over, of another shape, or missing.
    """
    files = list(files)
    has_parts = hasattr(network, "dad_encoder")
    tensors: dict[str, Tensor] = {}
    for file in files:
        tensors |= _rename(read_tensors(file)) if has_parts else read_tensors(file)
    initial = network.state_dict()
    if not tensors:
        return _parts(initial)
    random_parts = []
    if has_parts:
        if not any(key.startswith(HEAD) for key in tensors):
            facial = {key.removeprefix(FACIAL): value for key, value in tensors.items() if key.startswith(FACIAL)}
            tensors |= {HEAD + key: value for key, value in facial.items()}
        random_parts = [part for part in _parts(initial) if part not in _parts(tensors)]
        tensors = {key: v for key, v in initial.items() if key.split(".")[0] in random_parts} | tensors
    try:
        fill(network, tensors, " and ".join(Path(file).name for file in files))
    except WeightsError as error:
        raise WeightsError(f"--init: {error}") from error
    return random_parts


def _parts(keys: Iterable[str]) -> list[str]:
    """First components of keys, each once."""
    return list(dict.fromkeys(key.split(".")[0] for key in keys))


def _rename(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Keys of the network for those of a ResNet-50 by pytorchcv; other keys stay as they are."""
    renamed = {}
    for key, value in tensors.items():
        if _NOT_IN_NETWORK.match(key):
            continue
        for pattern, name in _RESNET:
            key = re.sub(pattern, name, key)
        renamed[key] = value
    return renamed
