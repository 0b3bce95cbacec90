"""Fitted models as files that hold only numbers and text; loading a file runs no code from it.

A file names the model; `mer.MODELS` creates the unfitted pipeline, and its fitted attributes are restored from the
file. skops is not used, since its files name the modules of all classes and functions in the pipeline: they stop
loading when one of these is moved or renamed, and every type needs an entry in a list of trusted types.
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
from mer.models.zero_shot_classifier import ZeroShot, build_network
from mer.utils.atomic_files import write_whole

MAX_UNPACKED_BYTES = 2 << 30  # protects against archives that are small but unpack to any size
_VERSION = 1
_PARTS: dict[str, type] = {part.__name__: part for part in (ZeroShot, StandardScaler, SVC)}  # nested estimators
_KEYS = {"prior_weight_": "say_"}  # attribute -> its key in files, if they differ
_ATTRIBUTES = {key: attribute for attribute, key in _KEYS.items()}


def save_model(path: str | Path, name: str, estimator: Any, record: dict[str, Any] | None = None) -> None:
    """Write a fitted model as an `.npz`.

    Parameters
    ----------
    path : str or Path
    name : str
        Name in `mer.MODELS`. Options of the pipeline must have their default values.
    estimator : Pipeline
    record : dict, optional
        Further information as JSON, such as the training data and the score.

    Raises
    ------
    ValueError
        If a fitted attribute is not numeric, such as the trees of `gbm`, or if the arrays are too large to load again.
    """
    arrays: dict[str, np.ndarray] = {}
    steps = {step: _fitted(part, step, arrays, name) for step, part in estimator.steps}
    if sum(array.nbytes for array in arrays.values()) > 0.9 * MAX_UNPACKED_BYTES:
        raise ValueError(f"{name} cannot be saved: its arrays take more than {0.9 * MAX_UNPACKED_BYTES / 2**20:.0f} MB")
    head = {"version": _VERSION, "mer": __version__, "model": name, "steps": steps, "record": record or {}}
    with write_whole(path, "wb") as file:
        np.savez_compressed(file, head=np.array(json.dumps(head)), **arrays)  # type: ignore[arg-type]


def load_model(path: str | Path) -> tuple[Any, dict[str, Any]]:
    """Read a file of :func:`save_model`.

    Returns
    -------
    estimator : Pipeline
        Takes flow fields in interocular distances `(n, H, W, 2)`, or frames, or their rows.
    record : dict
        The saved record and the name of the model, `model`.

    Raises
    ------
    FileNotFoundError
    ValueError
        For a damaged file, another kind of file, or a model of a later version of mer.
    """
    path = Path(path)
    try:
        with np.load(path, allow_pickle=False) as archive:
            if sum(member.file_size for member in archive.zip.infolist()) > MAX_UNPACKED_BYTES:
                raise ValueError(f"it would unpack to more than {MAX_UNPACKED_BYTES >> 20} MB")
            head = json.loads(str(archive["head"]))
            arrays = {name: archive[name] for name in archive.files if name != "head"}
        supported, record = head["version"] == _VERSION and head["model"] in MODELS, dict(head["record"])
        if supported:
            estimator = new_model(head["model"])
            for step, part in estimator.steps:
                _restore(part, head["steps"][step], arrays)
    except FileNotFoundError:
        raise FileNotFoundError(f"no model at {path}") from None
    except Exception as error:  # zipfile, NumPy, json, scikit-learn and torch raise many types for damaged files
        raise ValueError(f"{path} is not a model that mer saved ({type(error).__name__}: {error})") from error
    if not supported:
        raise ValueError(f"{path} holds the model {head['model']!r} in format {head['version']}; update mer to open it")
    return estimator, {"model": head["model"], **record}


def load_for_expressions(path: str | Path) -> tuple[Any, dict[str, Any]]:
    """As :func:`load_model`; `ValueError` for a model of clips, which cannot read a single spotted expression."""
    estimator, record = load_model(path)
    features = features_of(estimator)
    if features is not None and features.input_kind == "clip":
        raise ValueError(
            f"{path} holds {record['model']}, which takes gray clips; a spotted expression has flow and two frames. "
            "Train another model, such as svm-hoof"
        )
    return estimator, record


def _fitted(part: BaseEstimator, place: str, arrays: dict[str, np.ndarray], name: str) -> dict[str, Any]:
    """Attributes of an estimator other than its parameters. Arrays are added to `arrays` under the prefix `place`."""
    parameters = part.get_params(deep=False)
    return {
        _KEYS.get(key, key): _encode(value, f"{place}/{key}", arrays, name)
        for key, value in vars(part).items()
        if key not in parameters
    }


def _encode(value: Any, place: str, arrays: dict[str, np.ndarray], name: str) -> Any:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray) and value.dtype != object:
        arrays[place] = value
        return {"array": place}
    if isinstance(value, np.ndarray):  # class names, which are objects if they come from pandas
        return {"names": [str(item) for item in value]}
    if isinstance(value, (list, tuple)):
        return {type(value).__name__: [_encode(v, f"{place}/{k}", arrays, name) for k, v in enumerate(value)]}
    if isinstance(value, BaseEstimator) and type(value).__name__ in _PARTS:
        plain = {k: v for k, v in value.get_params(deep=False).items() if isinstance(v, (bool, int, float, str))}
        plain.pop("weights", None)  # a path on this machine; the weights themselves are saved
        return {"part": type(value).__name__, "given": plain, "learned": _fitted(value, place, arrays, name)}
    if hasattr(value, "state_dict"):
        state = value.state_dict()
        arrays.update({f"{place}/{key}": tensor.cpu().numpy() for key, tensor in state.items()})
        return {"network": place, "parameters": list(state)}
    raise ValueError(f"{name} cannot be saved: it holds a {type(value).__name__}; save svm-hoof or a network instead")


def _restore(part: BaseEstimator, fitted: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    forbidden = [key for key in fitted if key.startswith("__") or hasattr(type(part), key)]
    if forbidden:
        raise ValueError(f"it would replace {forbidden[0]!r} of {type(part).__name__}")
    for key in sorted(fitted, key=lambda key: "network" in key):  # networks last: their shapes depend on the others
        setattr(part, _ATTRIBUTES.get(key, key), _decode(fitted[key], arrays, part))


def _decode(value: Any, arrays: dict[str, np.ndarray], owner: BaseEstimator) -> Any:
    if not isinstance(value, dict):
        return value
    if "array" in value:
        return arrays[value["array"]]
    if "names" in value:
        return np.array(value["names"])
    if "part" in value:
        parameters = value["given"]
        if "weights" in parameters or not all(isinstance(v, (bool, int, float, str)) for v in parameters.values()):
            raise ValueError(f"parameters of {value['part']} are not all numbers and text")
        part = _PARTS[value["part"]](**parameters)
        _restore(part, value["learned"], arrays)
        return part
    if "network" in value:
        return _network(value, arrays, owner)
    kind, items = next(iter(value.items()))
    decoded = [_decode(item, arrays, owner) for item in items]
    return tuple(decoded) if kind == "tuple" else decoded


def _network(value: dict[str, Any], arrays: dict[str, np.ndarray], owner: Any) -> Any:
    import torch

    if isinstance(owner, TorchClassifier):
        pixels = owner.n_features_in_ / (owner.channels * (owner.frames or 1))
        network = owner.network(owner.channels, round(pixels**0.5), len(owner.classes_))
        if owner.frames is None:
            network = network.to(memory_format=memory_layout(network))  # type: ignore[call-overload]
    elif hasattr(owner, "new_network"):
        network = owner.new_network()
    else:
        network = build_network()
    place = value["network"]
    network.load_state_dict({key: torch.from_numpy(arrays[f"{place}/{key}"]) for key in value["parameters"]})
    return network.eval()
