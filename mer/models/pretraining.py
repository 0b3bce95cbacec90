"""How a network of the field sees rendered micro-expressions before the clips of people: with its own settings.

What it learned is then where its training on labeled clips starts from (:class:`mer.models.TorchClassifier`).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from mer.models import new_model
from mer.synth.flow_degradation import as_8bit_image
from mer.synth.micro_flows import MicroFlows
from mer.utils.atomic_files import write_whole

# Networks whose images are made of one flow field, and small enough that thousands of them fit into memory.
PRETRAINABLE = ("off-apexnet", "ststnet", "sssnet", "rcn-a", "dual-inception", "htnet", "symnet")
_USUAL_CLIPS = 442  # the settings were published for so many


def pretrain(
    name: str,
    rendered: MicroFlows,
    path: str | Path,
    record: dict[str, Any],
    seed: int = 0,
    epochs: int | None = None,
) -> None:
    """Train the network `name` of `mer.MODELS` on rendered clips, and write its weights as `.safetensors`.

    Parameters
    ----------
    name : str
        One of :data:`PRETRAINABLE`.
    rendered : MicroFlows
        With the same crop as the clips that will follow.
    path : str or Path
    record : dict
        What the clips are, for the file's header and for every result (:func:`mer.models.pretrained.seen_before`).
    seed : int
    epochs : int, optional
        By default as many as show the network as many clips as its published epochs show of 442.
    """
    from safetensors.torch import save

    if name not in PRETRAINABLE:
        raise ValueError(f"{name} cannot be pre-trained on rendered flow; {', '.join(PRETRAINABLE)} can")
    flows = rendered.flows if rendered.crop == "aligned" else np.stack([as_8bit_image(flow) for flow in rendered.flows])
    estimator = new_model(name, seed)
    classifier = estimator[-1]
    if epochs is None:
        epochs = max(1, round(classifier.epochs * _USUAL_CLIPS / len(flows)))
    classifier.set_params(epochs=epochs)
    estimator.fit(flows, rendered.labels)
    state = classifier.network_.state_dict()
    side = round((classifier.n_features_in_ / classifier.channels) ** 0.5)
    wider = classifier.network(classifier.channels, side, len(classifier.classes_) + 1).state_dict()
    more = {
        "model": name,
        "epochs": epochs,
        "seed": seed,
        "crop": rendered.crop,
        "classes": classifier.classes_.tolist(),
        "head": [key for key in state if state[key].shape != wider[key].shape],
    }
    tensors = {key: value.cpu().contiguous() for key, value in state.items()}
    with write_whole(Path(path), "wb") as file:
        file.write(save(tensors, metadata={"mer": json.dumps({**record, **more}, sort_keys=True)}))
