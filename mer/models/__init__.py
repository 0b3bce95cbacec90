"""Classifiers: a name -> a function that makes an unfitted scikit-learn estimator.

Each takes X as flow fields `(n, H, W, 2)`, in interocular distances, or as their flattened rows `(n, H * W * 2)`; those
for clips, `svm-lbptop`, `svm-3dhog` and `r3d`, take gray frames `(n, T, H, W)` or their rows, and `mmnet-frames` and
`end-to-end` the onset and the apex in color, `(n, 2, S, S, 3)` or their rows. Each is a pipeline: first
:class:`PerClip`, the features of each clip by itself, then whatever is fitted. Those that draw random numbers have a
parameter `random_state`; the others give the same answer each time. `docs/models.md` tells their input, settings and
sources in one table, with what they cost.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

from sklearn.base import clone
from sklearn.pipeline import Pipeline

from mer.models.classic import (
    gbm,
    logistic,
    majority,
    svm_3dhog,
    svm_biwoof,
    svm_hoof,
    svm_lbptop,
    svm_linear,
    svm_mdmo,
)
from mer.models.clip_features import PerClip, features_of
from mer.models.deep import (
    dual_inception,
    end_to_end,
    htnet,
    mmnet,
    mmnet_frames,
    off_apexnet,
    r3d,
    rcn_a,
    sssnet,
    ststnet,
    symnet,
    symnet_input,
)
from mer.models.ensemble import Twins, ensemble
from mer.models.pretrained import seen_before
from mer.models.synthetic_prior import ensemble_synth, svm_hoof_synth, zero_shot, zero_shot_strict
from mer.models.torch_classifier import TorchClassifier

__all__ = [
    "MODELS",
    "PerClip",
    "TorchClassifier",
    "Twins",
    "dual_inception",
    "end_to_end",
    "ensemble",
    "ensemble_synth",
    "features_of",
    "gbm",
    "htnet",
    "is_seeded",
    "logistic",
    "majority",
    "mmnet",
    "mmnet_frames",
    "name_of",
    "new_model",
    "off_apexnet",
    "r3d",
    "rcn_a",
    "seen_before",
    "sssnet",
    "ststnet",
    "svm_3dhog",
    "svm_biwoof",
    "svm_hoof",
    "svm_hoof_synth",
    "svm_lbptop",
    "svm_linear",
    "svm_mdmo",
    "symnet",
    "symnet_input",
    "zero_shot",
    "zero_shot_strict",
]

MODELS: dict[str, Callable[..., Any]] = {
    "majority": majority,
    "svm-linear": svm_linear,
    "svm-hoof": svm_hoof,
    "svm-mdmo": svm_mdmo,
    "svm-biwoof": svm_biwoof,
    "svm-lbptop": svm_lbptop,
    "svm-3dhog": svm_3dhog,
    "logistic": logistic,
    "gbm": gbm,
    "off-apexnet": off_apexnet,
    "ststnet": ststnet,
    "sssnet": sssnet,
    "rcn-a": rcn_a,
    "dual-inception": dual_inception,
    "htnet": htnet,
    "mmnet": mmnet,
    "mmnet-frames": mmnet_frames,
    "r3d": r3d,
    "end-to-end": end_to_end,
    "symnet": symnet,
    "ensemble": ensemble,
    "svm-hoof-synth": svm_hoof_synth,
    "ensemble-synth": ensemble_synth,
    "zero-shot": zero_shot,
    "zero-shot-strict": zero_shot_strict,
}


def name_of(model: Any) -> str:
    """The name of a model in :data:`MODELS`, of one of their factories with other settings too; otherwise its class."""
    if isinstance(model, str):
        return model
    function = model.func if isinstance(model, partial) else model
    found = [name for name, factory in MODELS.items() if factory is function]
    if found:
        return found[0]
    estimator = new_model(model)
    return type(estimator.steps[-1][1] if isinstance(estimator, Pipeline) else estimator).__name__


def is_seeded(model: Any) -> bool:
    """Whether the answers of a model may depend on a seed. It is a name, a factory or an estimator.

    A factory without the parameter `random_state`, and an estimator without one among its parameters, always give the
    same answer; an object that does not tell its parameters may not.
    """
    factory = _factory(model)
    if factory is not None:
        return "random_state" in inspect.signature(factory).parameters
    return bool(_random_states(model)) or not hasattr(model, "get_params")


def new_model(model: Any, seed: int = 0) -> Any:
    """A new, unfitted estimator: of a name in :data:`MODELS`, of a factory, or like an estimator.

    The result shares nothing with an estimator that is given, so that what one fold learns cannot reach another.
    """
    factory = _factory(model)
    if factory is not None:
        make = partial(factory, random_state=seed) if is_seeded(factory) else factory
        estimator = make()
        if estimator is make():
            raise ValueError("the function that makes the classifier returns the same object each time; make a new one")
        return estimator
    if not hasattr(model, "get_params"):
        return copy.deepcopy(model)
    return clone(model).set_params(**dict.fromkeys(_random_states(model), seed))


def _factory(model: Any) -> Callable[..., Any] | None:
    if isinstance(model, str):
        if model not in MODELS:
            raise ValueError(f"no model {model!r}; there are {', '.join(MODELS)}")
        return MODELS[model]
    if isinstance(model, type) or (callable(model) and not hasattr(model, "fit")):
        return model
    if not (hasattr(model, "fit") and hasattr(model, "predict")):
        raise ValueError(f"a model is a name, or has fit(X, y) and predict(X); {type(model).__name__} has not")
    return None


def _random_states(model: Any) -> list[str]:
    parameters = model.get_params() if hasattr(model, "get_params") else {}
    return [name for name in parameters if name.split("__")[-1] == "random_state"]
