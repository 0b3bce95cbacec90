"""Models that have seen rendered micro-expressions: alone, or beside the labeled clips of the training people."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.special import log_softmax, softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import f1_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
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
_SAYS, _USUAL_SAY, _PARTS = (1.0, 2.0, 4.0, 8.0), 2.0, 5


def zero_shot(adapt: bool = True, crop: str = "auto", weights: str | Path | None = None) -> Pipeline:
    """Rendered micro-expressions alone; adapts to the training people's unlabeled clips, and sees none of their
    labels.
    """
    features = PerClip(form_of_motion, {"crop": crop})
    return Pipeline([("features", features), ("classifier", ZeroShot(adapt=adapt, weights=weights))])


def zero_shot_strict(crop: str = "auto", weights: str | Path | None = None) -> Pipeline:
    """Rendered micro-expressions alone; no clip of anybody changes its answer for another."""
    return zero_shot(adapt=False, crop=crop, weights=weights)


def svm_hoof_synth(
    C: float = 2.0, say: float | None = None, crop: str = "auto", weights: str | Path | None = None
) -> Pipeline:
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
    says of a class, as a logarithm, is added up, as in stacking (Wolpert, Neural Networks 1992).

    Parameters
    ----------
    C : float
        Of the support vector machine.
    say : float, optional
        What the networks' logarithms count; the support vector machine's, of its distances, count 1. None takes of 1,
        2, 4 and 8 what serves best on the training clips, each answered by a machine that was fitted to others.
    weights : str or Path, optional
        As in :class:`ZeroShot`.
    """

    def __init__(self, C: float = 2.0, say: float | None = None, weights: str | Path | None = None) -> None:
        self.C = C
        self.say = say
        self.weights = weights

    def fit(self, X: np.ndarray, y: np.ndarray) -> SvmAndReading:
        """Fit the support vector machine to `X` and `y`, and let the networks adapt to `X`."""
        X, y = validate_data(self, X, y, dtype=np.float32)
        self.reader_ = ZeroShot(weights=self.weights).fit(X[:, -_FORM:], y)
        self.scaler_ = StandardScaler().fit(X[:, :-_FORM])
        self.svm_ = self._machine().fit(self._standardized(X), y)
        self.classes_ = self.svm_.classes_
        self.say_ = self._best_say(X, y) if self.say is None else self.say
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Shares of the classes, `(n, classes)`; they rank, and are not calibrated."""
        check_is_fitted(self, "svm_")
        X = validate_data(self, X, dtype=np.float32, reset=False)
        distance = self.svm_.decision_function(self._standardized(X))
        return softmax(_log_shares(distance) + self.say_ * self._reading(X), axis=1)

    def predict(self, X: np.ndarray) -> np.ndarray:
        """The class with the largest share, `(n,)`."""
        return self.classes_[self.predict_proba(X).argmax(1)]

    def _standardized(self, X: np.ndarray) -> np.ndarray:
        return np.clip(self.scaler_.transform(X[:, :-_FORM]), -_CLIP, _CLIP)

    def _machine(self) -> SVC:
        return SVC(C=self.C, class_weight="balanced")

    def _reading(self, X: np.ndarray) -> np.ndarray:
        columns = np.searchsorted(self.reader_.classes_, self.classes_.astype(str))
        return self.reader_.log_odds(X[:, -_FORM:])[:, columns]

    def _best_say(self, X: np.ndarray, y: np.ndarray) -> float:
        parts = min(_PARTS, int(np.unique(y, return_counts=True)[1].min()))
        if parts < 2:  # a class with one clip cannot be left out
            return _USUAL_SAY
        rows, folds = self._standardized(X), StratifiedKFold(parts)
        shares = _log_shares(cross_val_predict(self._machine(), rows, y, cv=folds, method="decision_function"))
        reading = self._reading(X)
        answers = [self.classes_[(shares + say * reading).argmax(1)] for say in _SAYS]
        return _SAYS[int(np.argmax([f1_score(y, answer, average="macro") for answer in answers]))]


def _log_shares(distance: np.ndarray) -> np.ndarray:
    """Distances from the boundaries as logarithms of shares, `(n, classes)`."""
    if distance.ndim == 1:  # of two classes, the second
        distance = np.column_stack([-distance, distance])
    return log_softmax(distance, axis=1)
