"""Models that have seen rendered micro-expressions: alone, or beside the labeled clips of the training people."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.special import log_softmax, softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.utils.validation import check_is_fitted, validate_data

from mer.features import block_hoof
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


def svm_hoof_synth(C: float = 2.0, say: float = 2.0, crop: str = "auto", weights: str | Path | None = None) -> Pipeline:
    """`svm-hoof` on labeled clips and the networks of `zero-shot`, which decide together."""
    features = PerClip(histograms_and_form, {"crop": crop})
    return Pipeline([("features", features), ("classifier", SvmAndReading(C=C, say=say, weights=weights))])


def histograms_and_form(flow: np.ndarray, crop: str = "auto") -> np.ndarray:
    """Orientation histograms `(392,)` and the form of the motion `(1568,)` of a clip `(H, W, 2)`, one after the
    other.
    """
    histograms = block_hoof(flow, SIDE, _BLOCKS, _BINS)
    return np.concatenate([histograms, form_of_motion(flow, crop).ravel()])


class SvmAndReading(ClassifierMixin, BaseEstimator):
    """Two opinions on rows of :func:`histograms_and_form`: a support vector machine's and the networks'.

    The first knows the people's labels, the second has seen rendered clips alone, so they err differently. What each
    says of a class, as a logarithm, is added up. The networks have no part in the labels, so no inner folds are needed
    to weigh what they say of training clips.

    Parameters
    ----------
    C : float
        Of the support vector machine.
    say : float
        What the networks' logarithms count; the support vector machine's, of its distances, count 1.
    weights : str or Path, optional
        As in :class:`ZeroShot`.
    """

    def __init__(self, C: float = 2.0, say: float = 2.0, weights: str | Path | None = None) -> None:
        self.C = C
        self.say = say
        self.weights = weights

    def fit(self, X: np.ndarray, y: np.ndarray) -> SvmAndReading:
        """Fit the support vector machine to `X` and `y`, and let the networks adapt to `X`."""
        X, y = validate_data(self, X, y, dtype=np.float32)
        self.reader_ = ZeroShot(weights=self.weights).fit(X[:, -_FORM:], y)
        self.scaler_ = StandardScaler().fit(X[:, :-_FORM])
        self.svm_ = SVC(C=self.C, class_weight="balanced").fit(self._standardized(X), y)
        self.classes_ = self.svm_.classes_
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Shares of the classes, `(n, classes)`; they rank, and are not calibrated."""
        check_is_fitted(self, "svm_")
        X = validate_data(self, X, dtype=np.float32, reset=False)
        distance = self.svm_.decision_function(self._standardized(X))
        if distance.ndim == 1:  # of two classes, the second
            distance = np.column_stack([-distance, distance])
        columns = np.searchsorted(self.reader_.classes_, self.classes_.astype(str))
        return softmax(log_softmax(distance, 1) + self.say * self.reader_.log_odds(X[:, -_FORM:])[:, columns], 1)

    def predict(self, X: np.ndarray) -> np.ndarray:
        """The class with the largest share, `(n,)`."""
        return self.classes_[self.predict_proba(X).argmax(1)]

    def _standardized(self, X: np.ndarray) -> np.ndarray:
        return np.clip(self.scaler_.transform(X[:, :-_FORM]), -_CLIP, _CLIP)
