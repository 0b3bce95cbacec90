"""Features of each clip, computed independently of all other clips."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.pipeline import Pipeline

from mer.features import as_clips, as_fields


class PerClip(TransformerMixin, BaseEstimator):
    """Transforms the flow field, or the frames, of each clip into one feature vector.

    The transformation has no fitted state, so features can be computed once before the folds without leakage. Put
    anything that is fitted into a later step of the pipeline.

    Parameters
    ----------
    feature : function
        `(H, W, 2)` float32, or `(frames, H, W)` if `frames` is set, to an array whose shape is the same for all clips.
    options : dict, optional
        Keyword arguments of `feature`.
    frames : int, optional
        Number of frames if X holds clips instead of flow fields.
    channels : int
        Channels of each frame. With more than one, `feature` takes `(frames, H, W, channels)`.
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
        """`"flow"`, `"clip"` (frames of a clip), or `"pair"` (onset and apex in color)."""
        if self.frames is None:
            return "flow"
        return "pair" if (self.frames, self.channels) == (2, 3) else "clip"

    def fit(self, X: np.ndarray, y: object = None) -> PerClip:
        """Do nothing."""
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Features `(n, d)`, float32, of fields `(n, H, W, 2)`, clips `(n, frames, H, W)`, or their flattened rows."""
        clips = as_fields(X) if self.frames is None else as_clips(X, self.frames, self.channels)
        features = [self.feature(clip, **(self.options or {})) for clip in clips]
        return np.stack(features).reshape(len(features), -1).astype(np.float32, copy=False)


def features_of(estimator: Any) -> PerClip | None:
    """The first step of a pipeline if it is a :class:`PerClip`, which can run before the folds; otherwise None."""
    first = estimator.steps[0][1] if isinstance(estimator, Pipeline) and len(estimator.steps) > 1 else None
    return first if isinstance(first, PerClip) else None


def expression_input(
    estimator: Any, field: np.ndarray, scale: float, crops: tuple[np.ndarray, np.ndarray]
) -> np.ndarray:
    """The input of an estimator for one expression.

    Parameters
    ----------
    estimator : object
    field : (H, W, 2)
        Flow, pixels.
    scale : float
        Pixels per interocular distance.
    crops : (onset, apex)
        The frames of the flow, uint8 `(H, W, 3)`.

    Returns
    -------
    (H, W, 2) or (2, H, W, 3)
        Flow in interocular distances, or the crops if the estimator takes frames.
    """
    features = features_of(estimator)
    if features is not None and features.input_kind == "pair":
        return np.stack(crops)
    return field / np.float32(scale)
