"""The step between flow fields, or clips, and a classifier: features of each one, by itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.pipeline import Pipeline

from mer.features import as_clips, as_fields


class PerClip(TransformerMixin, BaseEstimator):
    """Turns the flow field of each clip, or its frames, into features, one clip at a time.

    Nothing is fitted and no clip sees another, so the features may be computed once, ahead of the folds, and nothing
    leaks. Put whatever is fitted into a later step of the pipeline.

    Parameters
    ----------
    feature : function
        `(H, W, 2)` float32, or with `frames` `(frames, H, W)`, -> array, of the same shape for every clip.
    options : dict, optional
        Keyword arguments of `feature`.
    frames : int, optional
        X holds clips of so many gray frames, and not flow fields.
    channels : int
        Of each frame: with 2 and more, `feature` gets `(frames, H, W, channels)`.
    """

    def __init__(
        self,
        feature: Callable[..., np.ndarray],
        options: Mapping[str, Any] | None = None,
        frames: int | None = None,
        channels: int = 1,
    ) -> None:
        self.feature = feature
        self.options = options
        self.frames = frames
        self.channels = channels

    @property
    def input_kind(self) -> str:
        """What of a clip it is for: `flow`, its gray frames (`clip`), or onset and apex in color (`pair`)."""
        if self.frames is None:
            return "flow"
        return "pair" if (self.frames, self.channels) == (2, 3) else "clip"

    def fit(self, X: np.ndarray, y: object = None) -> PerClip:
        """Do nothing: there is nothing to fit."""
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Features `(n, d)`, float32, of fields `(n, H, W, 2)`, clips `(n, frames, H, W)`, or their flattened rows."""
        rows = as_fields(X) if self.frames is None else as_clips(X, self.frames, self.channels)
        features = [self.feature(row, **(self.options or {})) for row in rows]
        return np.stack(features).reshape(len(features), -1).astype(np.float32, copy=False)


def features_of(estimator: Any) -> PerClip | None:
    """The first step of a pipeline, if it treats each clip by itself and may run ahead of what is fitted."""
    first = estimator.steps[0][1] if isinstance(estimator, Pipeline) and len(estimator.steps) > 1 else None
    return first if isinstance(first, PerClip) else None


def expression_input(
    estimator: Any, field: np.ndarray, scale: float, crops: tuple[np.ndarray, np.ndarray]
) -> np.ndarray:
    """What an estimator sees of one expression.

    Parameters
    ----------
    field : (H, W, 2)
        Its flow, pixels.
    scale : float
        Pixels in an interocular distance.
    crops : (onset, apex)
        The frames that the flow was estimated from, uint8 `(H, W, 3)`.

    Returns
    -------
    (H, W, 2) or (2, H, W, 3)
        The flow in interocular distances, or the frames, for an estimator that sees them.
    """
    features = features_of(estimator)
    return np.stack(crops) if features is not None and features.input_kind == "pair" else field / np.float32(scale)
