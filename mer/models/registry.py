"""The classifiers by name, and new estimators from a name, a factory or an estimator."""

from __future__ import annotations

import copy
import importlib
import inspect
from collections import UserDict
from collections.abc import Callable, MutableMapping
from functools import partial
from typing import Any

Factory = Callable[..., Any]


class _Factories(UserDict[str, Any]):
    """Name -> factory. A name without a value stands for the function of that name in `mer.models`, which is imported
    on first use: listing the names imports neither scikit-learn nor torch.
    """

    def __getitem__(self, name: str) -> Factory:
        return super().__getitem__(name) or getattr(importlib.import_module("mer.models"), name.replace("-", "_"))

    def __repr__(self) -> str:
        return f"MODELS: {', '.join(self)}"


MODELS: MutableMapping[str, Factory] = _Factories(dict.fromkeys([
    "majority", "svm-linear", "svm-hoof", "svm-mdmo", "svm-biwoof", "svm-lbptop", "svm-3dhog", "logistic", "gbm",
    "off-apexnet", "ststnet", "sssnet", "rcn-a", "dual-inception", "htnet", "mmnet", "mmnet-frames", "r3d",
    "end-to-end", "symnet", "ensemble", "svm-hoof-synth", "ensemble-synth", "zero-shot", "zero-shot-strict",
]))  # fmt: skip


def new_model(model: Any, seed: int = 0) -> Any:
    """A new, unfitted estimator.

    Parameters
    ----------
    model : str, function or estimator
        A name in :data:`MODELS`, a factory, or an estimator. An estimator is cloned, or deep-copied if it has no
        `get_params`, so that the result shares no state with it.
    seed : int
        Value of every parameter `random_state`.

    Raises
    ------
    ValueError
        For an unknown name, an object without `fit` and `predict`, or a factory that returns the same object twice.
    """
    factory = _factory(model)
    if factory is not None:
        make = partial(factory, random_state=seed) if is_seeded(factory) else factory
        estimator = make()
        if estimator is make():
            raise ValueError("the factory returns the same object each time; let it create a new classifier")
        return estimator
    if not hasattr(model, "get_params"):
        return copy.deepcopy(model)
    from sklearn.base import clone

    return clone(model).set_params(**dict.fromkeys(_random_states(model), seed))


def is_seeded(model: Any) -> bool:
    """Whether the predictions of a name, factory or estimator may depend on a seed.

    They do not if a factory has no parameter `random_state`, or if `get_params` of an estimator lists none. An
    estimator without `get_params` may draw random numbers.
    """
    factory = _factory(model)
    if factory is not None:
        return "random_state" in inspect.signature(factory).parameters
    return bool(_random_states(model)) or not hasattr(model, "get_params")


def name_of(model: Any) -> str:
    """The name in :data:`MODELS` of a factory or of a `partial` of it; otherwise the name of the classifier's class."""
    if isinstance(model, str):
        return model
    function = model.func if isinstance(model, partial) else model
    for name, factory in MODELS.items():
        if factory is function:
            return name
    from sklearn.pipeline import Pipeline

    estimator = new_model(model)
    return type(estimator.steps[-1][1] if isinstance(estimator, Pipeline) else estimator).__name__


def _factory(model: Any) -> Factory | None:
    """The factory that a model is or names; None for an estimator."""
    if isinstance(model, str):
        if model not in MODELS:
            raise ValueError(f"unknown model {model!r}; choose from {', '.join(MODELS)}")
        return MODELS[model]
    if isinstance(model, type) or (callable(model) and not hasattr(model, "fit")):
        return model
    if not (hasattr(model, "fit") and hasattr(model, "predict")):
        raise ValueError(
            f"expected a model name or an object with fit(X, y) and predict(X), got {type(model).__name__}"
        )
    return None


def _random_states(model: Any) -> list[str]:
    parameters = model.get_params() if hasattr(model, "get_params") else {}
    return [name for name in parameters if name.split("__")[-1] == "random_state"]
