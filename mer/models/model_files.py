"""Fitted models in files that hold numbers and text alone: nothing in them is ever run.

A file names the model and its options; the unfitted model is made anew from `mer.MODELS`, and what it had learned is
put back. So it opens with any version of mer that has the model, and cannot carry a program as a pickle can.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from mer._version import __version__
from mer.models.per_clip import features_of
from mer.models.registry import MODELS, new_model
from mer.models.torch_classifier import TorchClassifier, memory_layout
from mer.models.zero_shot_classifier import ZeroShot, form_network
from mer.utils.atomic_files import write_whole

_VERSION = 1
_PARTS: dict[str, type] = {part.__name__: part for part in (ZeroShot, StandardScaler, SVC)}  # within others


def save_model(path: str | Path, name: str, estimator: Any, record: dict[str, Any] | None = None) -> None:
    """Write a fitted model of `mer.MODELS` as an `.npz`.

    Parameters
    ----------
    path : str or Path
    name : str
        Its name in `mer.MODELS`, with whose options as they are by default it was made.
    estimator : Pipeline
    record : dict, optional
        What else there is to know, as JSON: what it was fitted to, what it scored.

    Raises
    ------
    ValueError
        For a model that has learned something other than numbers, such as the trees of `gbm`.
    """
    arrays: dict[str, np.ndarray] = {}
    steps = {step: _learned(part, f"{step}", arrays, name) for step, part in estimator.steps}
    head = {"version": _VERSION, "mer": __version__, "model": name, "steps": steps, "record": record or {}}
    with write_whole(path, "wb") as file:
        np.savez_compressed(file, head=np.array(json.dumps(head)), **arrays)  # type: ignore[arg-type]


def load_model(path: str | Path) -> tuple[Any, dict[str, Any]]:
    """The fitted model of a file of :func:`save_model`, and its record, with the `model`'s name.

    `predict` and `predict_proba` take flow fields in interocular distances, `(n, H, W, 2)` or their rows; of
    models that see frames, those.
    """
    path = Path(path)
    try:
        with np.load(path, allow_pickle=False) as archive:
            head = json.loads(str(archive["head"]))
            arrays = {name: archive[name] for name in archive.files if name != "head"}
        known, record = head["version"] == _VERSION and head["model"] in MODELS, dict(head["record"])
        if known:
            estimator = new_model(head["model"])
            for step, part in estimator.steps:
                _restore(part, head["steps"][step], arrays)
    except FileNotFoundError:
        raise FileNotFoundError(f"no model at {path}") from None
    except Exception as error:  # of a strange file, each library has its own kinds
        raise ValueError(f"{path} is not a model that mer saved ({type(error).__name__}: {error})") from error
    if not known:
        raise ValueError(f"{path} holds the model {head['model']!r} in form {head['version']}; update mer to open it")
    return estimator, {"model": head["model"], **record}


def load_for_expressions(path: str | Path) -> tuple[Any, dict[str, Any]]:
    """As :func:`load_model`; `ValueError` for a model that cannot read a spotted expression, since it sees a clip."""
    estimator, record = load_model(path)
    features = features_of(estimator)
    if features is not None and features.input_kind == "clip":
        raise ValueError(
            f"{path} holds {record['model']}, which sees gray frames; spotted expressions are read from their flow or "
            "their onset and apex: train another model, such as svm-hoof"
        )
    return estimator, record


def _learned(part: BaseEstimator, place: str, arrays: dict[str, np.ndarray], name: str) -> dict[str, Any]:
    """What an estimator has besides its parameters; arrays go to `arrays`, under names that start with `place`."""
    given = part.get_params(deep=False)
    return {
        key: _encode(value, f"{place}/{key}", arrays, name) for key, value in vars(part).items() if key not in given
    }


def _encode(value: Any, place: str, arrays: dict[str, np.ndarray], name: str) -> Any:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray) and value.dtype != object:
        arrays[place] = value
        return {"array": place}
    if isinstance(value, np.ndarray):  # names of classes, as pandas has them
        return {"names": [str(item) for item in value]}
    if isinstance(value, (list, tuple)):
        return {type(value).__name__: [_encode(v, f"{place}/{k}", arrays, name) for k, v in enumerate(value)]}
    if isinstance(value, BaseEstimator) and type(value).__name__ in _PARTS:
        given = {k: v for k, v in value.get_params(deep=False).items() if isinstance(v, (bool, int, float, str))}
        given.pop("weights", None)  # a path on this machine; what was in it is saved
        return {"part": type(value).__name__, "given": given, "learned": _learned(value, place, arrays, name)}
    if hasattr(value, "state_dict"):
        state = value.state_dict()
        arrays.update({f"{place}/{key}": tensor.cpu().numpy() for key, tensor in state.items()})
        return {"network": place, "parameters": list(state)}
    raise ValueError(f"{name} cannot be saved: it holds a {type(value).__name__}; save svm-hoof or a network instead")


def _restore(part: BaseEstimator, learned: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    taken = [key for key in learned if key.startswith("__") or hasattr(type(part), key)]
    if taken:
        raise ValueError(f"it would replace {taken[0]!r} of {type(part).__name__}")
    for key in sorted(learned, key=lambda key: "network" in key):  # a network is built for what else was learned
        setattr(part, key, _decode(learned[key], arrays, part))


def _decode(value: Any, arrays: dict[str, np.ndarray], owner: BaseEstimator) -> Any:
    if not isinstance(value, dict):
        return value
    if "array" in value:
        return arrays[value["array"]]
    if "names" in value:
        return np.array(value["names"])
    if "part" in value:
        given = value["given"]
        if "weights" in given or not all(isinstance(item, (bool, int, float, str)) for item in given.values()):
            raise ValueError(f"the part {value['part']} is given more than numbers and words")
        part = _PARTS[value["part"]](**given)
        _restore(part, value["learned"], arrays)
        return part
    if "network" in value:
        return _rebuilt(value, arrays, owner)
    kind, items = next(iter(value.items()))
    decoded = [_decode(item, arrays, owner) for item in items]
    return tuple(decoded) if kind == "tuple" else decoded


def _rebuilt(value: dict[str, Any], arrays: dict[str, np.ndarray], owner: Any) -> Any:
    import torch

    if isinstance(owner, TorchClassifier):
        pixels = owner.n_features_in_ / (owner.channels * (owner.frames or 1))
        network = owner.network(owner.channels, round(pixels**0.5), len(owner.classes_))
        if owner.frames is None:
            network = network.to(memory_format=memory_layout(network))  # type: ignore[call-overload]
    elif hasattr(owner, "new_network"):
        network = owner.new_network()
    else:
        network = form_network()
    place = value["network"]
    network.load_state_dict({key: torch.from_numpy(arrays[f"{place}/{key}"]) for key in value["parameters"]})
    return network.eval()
