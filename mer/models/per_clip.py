"""The step between flow fields and a classifier: features of each clip, by itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from mer.features import as_fields


class PerClip(TransformerMixin, BaseEstimator):
    """Turns the flow field of each clip into features, one clip at a time.

    Nothing is fitted and no clip sees another, so the features may be computed once, ahead of the folds, and nothing
    leaks. Put whatever is fitted into a later step of the pipeline.

    Parameters
    ----------
    feature : function
        `(H, W, 2)` float32 -> array, of the same shape for every clip.
    options : dict, optional
        Keyword arguments of `feature`.
    """

    def __init__(self, feature: Callable[..., np.ndarray], options: Mapping[str, Any] | None = None) -> None:
        self.feature = feature
        self.options = options

    def fit(self, X: np.ndarray, y: object = None) -> PerClip:
        """Do nothing: there is nothing to fit."""
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Features `(n, d)`, float32, of fields `(n, H, W, 2)` or of their flattened rows `(n, H * W * 2)`."""
        features = [self.feature(field, **(self.options or {})) for field in as_fields(X)]
        return np.stack(features).reshape(len(features), -1).astype(np.float32, copy=False)
