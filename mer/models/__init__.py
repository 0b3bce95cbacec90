"""Classifiers: a name -> a function that makes an unfitted scikit-learn estimator.

Each takes X as flow fields `(n, H, W, 2)`, in interocular distances, or as their flattened rows `(n, H * W * 2)`, and
is a pipeline: first :class:`PerClip`, the features of each clip by itself, then whatever is fitted. Those that draw
random numbers have a parameter `random_state`; the others give the same answer each time.

===============  =====================================  =============================================================
name             features                               classifier and settings
===============  =====================================  =============================================================
majority         none                                   the most frequent class of the training clips; the floor
svm-linear       u and v, 28 x 28, less their median    linear SVM, C = 0.001 (ours), classes balanced
svm-hoof         orientation histograms, 7 x 7 x 8      RBF SVM, C = 2 (ours), classes balanced
ststnet          u, v, strain, 28 x 28, each 0..255     STSTNet (Liong et al., FG 2019) as published: Adam 5e-5, 800
                 per clip as published                  epochs, batches of 256 in the order of the table
===============  =====================================  =============================================================

"Ours" were chosen on flow fields that a program drew, and not on any database that a protocol tests.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.dummy import DummyClassifier
from sklearn.metrics.pairwise import linear_kernel, rbf_kernel
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC

from mer.features import block_hoof, resize
from mer.models.per_clip import PerClip
from mer.models.ststnet import ststnet_input, ststnet_network
from mer.models.torch_classifier import TorchClassifier

__all__ = [
    "MODELS",
    "PerClip",
    "TorchClassifier",
    "is_seeded",
    "majority",
    "new_model",
    "ststnet",
    "svm_hoof",
    "svm_linear",
]

# A standardized feature beyond three deviations says little more than one at three, and would rule a kernel.
_CLIP = {"a_min": -3, "a_max": 3}


def majority() -> Pipeline:
    """Always the most frequent class of the training clips: what a score has to beat."""
    return Pipeline([("features", PerClip(_nothing)), ("classifier", DummyClassifier(strategy="most_frequent"))])


def svm_linear(size: int = 28, C: float = 0.001) -> Pipeline:
    """Linear support vector machine on the field itself."""
    return Pipeline(
        [
            ("features", PerClip(_centered, {"size": size})),
            ("scale", StandardScaler()),
            ("clip", FunctionTransformer(np.clip, kw_args=_CLIP)),
            ("classifier", SVC(kernel=linear_kernel, C=C, class_weight="balanced")),
        ]
    )


def svm_hoof(size: int = 28, blocks: int = 7, bins: int = 8, C: float = 2.0) -> Pipeline:
    """Support vector machine with a Gaussian kernel on orientation histograms: quick, and hard to beat."""
    return Pipeline(
        [
            ("features", PerClip(block_hoof, {"size": size, "blocks": blocks, "bins": bins})),
            ("scale", StandardScaler()),
            ("clip", FunctionTransformer(np.clip, kw_args=_CLIP)),
            ("classifier", SVC(kernel=_gaussian_kernel, C=C, class_weight="balanced")),
        ]
    )


def ststnet(
    random_state: int | None = None,
    *,
    scaling: str = "minmax",
    size: int = 28,
    epochs: int = 800,
    learning_rate: float = 5e-5,
    batch_size: int = 256,
    shuffle: bool = False,
) -> Pipeline:
    """STSTNet as published; `scaling="metric"` keeps the strength of the motion (see :func:`ststnet_input`)."""
    network = TorchClassifier(
        ststnet_network,
        epochs=epochs,
        learning_rate=learning_rate,
        batch_size=batch_size,
        shuffle=shuffle,
        random_state=random_state,
    )
    return Pipeline([("features", PerClip(ststnet_input, {"size": size, "scaling": scaling})), ("classifier", network)])


def _gaussian_kernel(X: np.ndarray, fitted: np.ndarray) -> np.ndarray:
    """What `SVC(kernel="rbf", gamma="scale")` computes, three to ten times faster: as one matrix product."""
    return rbf_kernel(X, fitted, gamma=1 / (fitted.shape[1] * (fitted.var() or 1)))


def _nothing(flow: np.ndarray) -> np.ndarray:
    return np.zeros(1, np.float32)


def _centered(flow: np.ndarray, size: int) -> np.ndarray:
    """The field at `size` x `size`, less its median vector."""
    field = resize(flow, size)
    return field - np.median(field, axis=(0, 1))


MODELS: dict[str, Callable[..., Any]] = {
    "majority": majority,
    "svm-linear": svm_linear,
    "svm-hoof": svm_hoof,
    "ststnet": ststnet,
}


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
