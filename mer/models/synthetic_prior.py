"""Models that have seen rendered micro-expressions: alone, or beside the labeled clips of the training people."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import log_softmax, softmax
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.metrics import f1_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.utils.validation import check_is_fitted, validate_data

from mer.features import block_hoof
from mer.models.mirror_ensemble import ensemble
from mer.models.per_clip import PerClip
from mer.models.zero_shot_classifier import SIDE, WEIGHTS, ZeroShot, form_of_motion

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
    return Pipeline([("features", features), ("classifier", TwoOpinions(C=C, say=say, weights=weights))])


def ensemble_synth(say: float | None = None, crop: str = "auto", weights: str | Path | None = None) -> Pipeline:
    """`ensemble` on labeled clips and the networks of `zero-shot`, which decide together."""
    labeled = ensemble(SIDE)
    features = PerClip(features_and_form, {"labeled": labeled[0], "crop": crop})
    return Pipeline([("features", features), ("classifier", TwoOpinions(labeled[-1], say=say, weights=weights))])


def features_and_form(flow: np.ndarray, labeled: PerClip, crop: str = "auto") -> np.ndarray:
    """The features of `labeled` and the form of the motion `(1568,)` of a clip `(H, W, 2)`, one after the other."""
    return np.concatenate([labeled.transform(flow[None])[0], form_of_motion(flow, crop).ravel()])


def histograms_and_form(flow: np.ndarray, crop: str = "auto") -> np.ndarray:
    """Orientation histograms `(392,)` and the form of the motion `(1568,)` of a clip `(H, W, 2)`, one after the
    other.
    """
    histograms = block_hoof(flow, SIDE, _BLOCKS, _BINS)
    return np.concatenate([histograms, form_of_motion(flow, crop).ravel()])


class TwoOpinions(ClassifierMixin, BaseEstimator):
    """Two opinions on a clip: a classifier's that was fitted to labeled clips, and the networks'.

    The first knows the people's labels, the second has seen rendered clips alone, so they err differently. What each
    says of a class, as a logarithm, is added up, as in stacking (Wolpert, Neural Networks 1992).

    Parameters
    ----------
    labeled : estimator, optional
        The classifier; None is a support vector machine on standardized features, as in `svm-hoof`.
    C : float
        Of the support vector machine.
    say : float, optional
        What the networks' logarithms count; the classifier's count 1. None takes of 1,
        2, 4 and 8 what serves best on the training clips, each answered by a machine that was fitted to others.
    weights : str or Path, optional
        As in :class:`ZeroShot`.
    """

    def __init__(
        self, labeled: Any = None, C: float = 2.0, say: float | None = None, weights: str | Path | None = None
    ) -> None:
        self.labeled = labeled
        self.C = C
        self.say = say
        self.weights = weights

    @property
    def pretrained_file(self) -> str | Path:
        """What it has seen before."""
        return self.weights or WEIGHTS

    def fit(self, X: np.ndarray, y: np.ndarray) -> TwoOpinions:
        """Fit the classifier to `X` and `y`, and let the networks adapt to `X`, whose last 1568 columns are theirs."""
        X, y = validate_data(self, X, y, dtype=np.float32)
        self.reader_ = ZeroShot(weights=self.weights).fit(X[:, -_FORM:], y)
        self.scaler_ = StandardScaler().fit(X[:, :-_FORM]) if self.labeled is None else None
        self.labeled_ = self._machine().fit(self._standardized(X), y)
        self.classes_ = self.labeled_.classes_
        self.say_ = self._best_say(X, y) if self.say is None else self.say
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Shares of the classes, `(n, classes)`; they rank, and are not calibrated."""
        check_is_fitted(self, "labeled_")
        X = validate_data(self, X, dtype=np.float32, reset=False)
        opinion = getattr(self.labeled_, self._method())(self._standardized(X))
        return softmax(self._log_shares(opinion) + self.say_ * self._reading(X), axis=1)

    def predict(self, X: np.ndarray) -> np.ndarray:
        """The class with the largest share, `(n,)`."""
        return self.classes_[self.predict_proba(X).argmax(1)]

    def _standardized(self, X: np.ndarray) -> np.ndarray:
        rows = X[:, :-_FORM]
        return rows if self.scaler_ is None else np.clip(self.scaler_.transform(rows), -_CLIP, _CLIP)

    def _machine(self) -> Any:
        return SVC(C=self.C, class_weight="balanced") if self.labeled is None else clone(self.labeled)

    def _method(self) -> str:
        return "decision_function" if self.labeled is None else "predict_proba"

    def _reading(self, X: np.ndarray) -> np.ndarray:
        columns = np.searchsorted(self.reader_.classes_, self.classes_.astype(str))
        return self.reader_.log_odds(X[:, -_FORM:])[:, columns]

    def _best_say(self, X: np.ndarray, y: np.ndarray) -> float:
        parts = min(_PARTS, int(np.unique(y, return_counts=True)[1].min()))
        if parts < 2:  # a class with one clip cannot be left out
            return _USUAL_SAY
        rows, folds = self._standardized(X), StratifiedKFold(parts)
        shares = self._log_shares(cross_val_predict(self._machine(), rows, y, cv=folds, method=self._method()))
        reading = self._reading(X)
        answers = [self.classes_[(shares + say * reading).argmax(1)] for say in _SAYS]
        return _SAYS[int(np.argmax([f1_score(y, answer, average="macro") for answer in answers]))]

    def _log_shares(self, opinion: np.ndarray) -> np.ndarray:
        """Probabilities, or distances from the boundaries, as logarithms of shares, `(n, classes)`."""
        if self.labeled is not None:
            return np.log(np.clip(opinion, 1e-3, 1))
        if opinion.ndim == 1:  # of two classes, the second
            opinion = np.column_stack([-opinion, opinion])
        return log_softmax(opinion, axis=1)
