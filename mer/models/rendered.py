"""Models that have seen rendered micro-expressions: alone, or beside the labeled clips of the training people."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from mer.features import block_hoof
from mer.models.classic import _gaussian_kernel
from mer.models.per_clip import PerClip
from mer.models.zero_shot import SIDE, ZeroShot, form_of_motion

_FORM = SIDE * SIDE * 2
_BLOCKS, _BINS = 7, 8
_CLIP = 3.0


def zero_shot(adapt: bool = True, crop: str = "auto", weights: str | Path | None = None) -> Pipeline:
    """Rendered micro-expressions alone; adapts to the training people's unlabeled clips, and sees none of their
    labels.
    """
    features = PerClip(form_of_motion, {"crop": crop})
    return Pipeline([("features", features), ("classifier", ZeroShot(adapt=adapt, weights=weights))])


def zero_shot_strict(crop: str = "auto", weights: str | Path | None = None) -> Pipeline:
    """Rendered micro-expressions alone; no clip of anybody changes its answer for another."""
    return zero_shot(adapt=False, crop=crop, weights=weights)


def svm_hoof_synth(C: float = 2.0, say: float = 3.0, crop: str = "auto", weights: str | Path | None = None) -> Pipeline:
    """`svm-hoof` that is told how the networks of `zero-shot` read each clip.

    Stacking (Wolpert, Neural Networks 1992). It needs no inner folds: the networks have never seen a label of the
    people, so their reading of a training clip is as good as that of a test clip. `say` is what a standardized log
    probability counts against a standardized bin of the histograms.
    """
    return Pipeline(
        [
            ("features", PerClip(histograms_and_form, {"crop": crop})),
            ("reading", WithReading(say=say, weights=weights)),
            ("classifier", SVC(kernel=_gaussian_kernel, C=C, class_weight="balanced")),
        ]
    )


def histograms_and_form(flow: np.ndarray, crop: str = "auto") -> np.ndarray:
    """Orientation histograms `(392,)` and the form of the motion `(1568,)` of a clip `(H, W, 2)`, one after the
    other.
    """
    histograms = block_hoof(flow, SIDE, _BLOCKS, _BINS)
    return np.concatenate([histograms, form_of_motion(flow, crop).ravel()])


class WithReading(TransformerMixin, BaseEstimator):
    """Rows of :func:`histograms_and_form` as standardized histograms and the networks' standardized reading."""

    def __init__(self, say: float = 3.0, weights: str | Path | None = None) -> None:
        self.say = say
        self.weights = weights

    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> WithReading:
        """Learn the scales from the clips `X`, and let the networks adapt to them; `y` is not looked at."""
        self.reader_ = ZeroShot(weights=self.weights).fit(X[:, -_FORM:])
        self.scaler_ = StandardScaler().fit(X[:, :-_FORM])
        self.reading_scaler_ = StandardScaler().fit(self.reader_.log_odds(X[:, -_FORM:]))
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        """`(n, 392 + 3)`."""
        histograms = np.clip(self.scaler_.transform(X[:, :-_FORM]), -_CLIP, _CLIP)
        reading = np.clip(self.reading_scaler_.transform(self.reader_.log_odds(X[:, -_FORM:])), -_CLIP, _CLIP)
        return np.hstack([histograms, self.say * reading])
