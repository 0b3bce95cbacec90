"""Factories of classifiers that use networks trained on rendered micro-expressions, alone or with labeled clips."""

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
from mer.models.zero_shot_classifier import SIDE, WEIGHTS, ZeroShot, normalized_flow

_NETWORK_INPUTS = SIDE * SIDE * 2  # the last columns of each row
_BLOCKS, _BINS = 7, 8
_MAX_DEVIATION = 3.0
WEIGHT_CANDIDATES = (1.0, 2.0, 4.0, 8.0)
DEFAULT_WEIGHT = 2.0
_INNER_FOLDS = 5


def zero_shot(adapt: bool = True, crop: str = "auto", weights: str | Path | None = None) -> Pipeline:
    """Networks trained on rendered micro-expressions, adapted to the unlabeled clips of the training people."""
    features = PerClip(normalized_flow, {"crop": crop})
    return Pipeline([("features", features), ("classifier", ZeroShot(adapt=adapt, weights=weights))])


def zero_shot_strict(crop: str = "auto", weights: str | Path | None = None) -> Pipeline:
    """Networks trained on rendered micro-expressions, without adaptation: predictions depend on no other clip."""
    return zero_shot(adapt=False, crop=crop, weights=weights)


def svm_hoof_synth(
    C: float = 2.0,
    prior_weight: float | None = None,
    crop: str = "auto",
    weights: str | Path | None = None,
    say: float | None = None,
) -> Pipeline:
    """`svm-hoof` on labeled clips, stacked with the networks of `zero-shot`; `say` is an old name of `prior_weight`."""
    features = PerClip(hoof_and_normalized_flow, {"crop": crop})
    prior_weight = say if prior_weight is None else prior_weight
    return Pipeline([("features", features), ("classifier", PriorStacking(None, C, prior_weight, weights))])


def ensemble_synth(
    prior_weight: float | None = None,
    crop: str = "auto",
    weights: str | Path | None = None,
    say: float | None = None,
) -> Pipeline:
    """`ensemble` on labeled clips, stacked with the networks of `zero-shot`; `say` is an old name of `prior_weight`."""
    labeled = ensemble(SIDE)
    features = PerClip(features_and_normalized_flow, {"labeled": labeled[0], "crop": crop})
    prior_weight = say if prior_weight is None else prior_weight
    classifier = PriorStacking(labeled[-1], prior_weight=prior_weight, weights=weights)
    return Pipeline([("features", features), ("classifier", classifier)])


def features_and_normalized_flow(flow: np.ndarray, labeled: PerClip, crop: str = "auto") -> np.ndarray:
    """Features of `labeled` and the normalized flow `(1568,)` of a clip `(H, W, 2)`, concatenated."""
    return np.concatenate([labeled.transform(flow[None])[0], normalized_flow(flow, crop).ravel()])


def hoof_and_normalized_flow(flow: np.ndarray, crop: str = "auto") -> np.ndarray:
    """Orientation histograms `(392,)` and the normalized flow `(1568,)` of a clip `(H, W, 2)`, concatenated."""
    histograms = block_hoof(flow, SIDE, _BLOCKS, _BINS)
    return np.concatenate([histograms, normalized_flow(flow, crop).ravel()])


class PriorStacking(ClassifierMixin, BaseEstimator):
    """Combines a classifier fitted to labeled clips with the networks of :class:`ZeroShot`.

    The log-probabilities of both are added, as in stacking (Wolpert, Neural Networks 1992). Their errors differ, since
    the networks have only seen rendered clips.

    Parameters
    ----------
    labeled : estimator, optional
        The classifier of labeled clips. By default, a support vector machine on standardized features, as in
        `svm-hoof`.
    C : float
        Of the support vector machine.
    prior_weight : float, optional
        Weight of the networks' log-probabilities, relative to those of the classifier. By default, the best of 1, 2, 4
        and 8 in a cross-validation on the training clips.
    weights : str or Path, optional
        As in :class:`ZeroShot`.
    """

    def __init__(
        self,
        labeled: Any = None,
        C: float = 2.0,
        prior_weight: float | None = None,
        weights: str | Path | None = None,
    ) -> None:
        self.labeled = labeled
        self.C = C
        self.prior_weight = prior_weight
        self.weights = weights

    @property
    def pretrained_file(self) -> str | Path:
        """The weights of the networks, whose training data results record."""
        return self.weights or WEIGHTS

    def fit(self, X: np.ndarray, y: np.ndarray) -> PriorStacking:
        """Fit the classifier to `X` and `y`, and adapt the networks to the last 1568 columns of `X`."""
        X, y = validate_data(self, X, y, dtype=np.float32)
        self.reader_ = ZeroShot(weights=self.weights).fit(X[:, -_NETWORK_INPUTS:], y)
        self.scaler_ = StandardScaler().fit(X[:, :-_NETWORK_INPUTS]) if self.labeled is None else None
        self.labeled_ = self._classifier().fit(self._features(X), y)
        self.classes_ = self.labeled_.classes_
        self.prior_weight_ = self._best_weight(X, y) if self.prior_weight is None else self.prior_weight
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Scores of the classes, `(n, n_classes)`, summing to 1; not calibrated."""
        check_is_fitted(self, "labeled_")
        X = validate_data(self, X, dtype=np.float32, reset=False)
        output = getattr(self.labeled_, self._method())(self._features(X))
        return softmax(self._log_proba(output) + self.prior_weight_ * self._prior(X), axis=1)

    def predict(self, X: np.ndarray) -> np.ndarray:
        """The class with the highest score, `(n,)`."""
        return self.classes_[self.predict_proba(X).argmax(1)]

    def _features(self, X: np.ndarray) -> np.ndarray:
        rows = X[:, :-_NETWORK_INPUTS]
        if self.scaler_ is None:
            return rows
        return np.clip(self.scaler_.transform(rows), -_MAX_DEVIATION, _MAX_DEVIATION)

    def _classifier(self) -> Any:
        return SVC(C=self.C, class_weight="balanced") if self.labeled is None else clone(self.labeled)

    def _method(self) -> str:
        return "decision_function" if self.labeled is None else "predict_proba"

    def _prior(self, X: np.ndarray) -> np.ndarray:
        """Log-probabilities of the networks for `classes_`, `(n, n_classes)`."""
        columns = np.searchsorted(self.reader_.classes_, self.classes_.astype(str))
        return self.reader_.mean_log_proba(X[:, -_NETWORK_INPUTS:])[:, columns]

    def _best_weight(self, X: np.ndarray, y: np.ndarray) -> float:
        folds = min(_INNER_FOLDS, int(np.unique(y, return_counts=True)[1].min()))
        if folds < 2:  # a class with a single clip
            return DEFAULT_WEIGHT
        rows, splitter = self._features(X), StratifiedKFold(folds)
        output = cross_val_predict(self._classifier(), rows, y, cv=splitter, method=self._method())
        log_proba, prior = self._log_proba(output), self._prior(X)
        predictions = [self.classes_[(log_proba + weight * prior).argmax(1)] for weight in WEIGHT_CANDIDATES]
        scores = [f1_score(y, prediction, average="macro") for prediction in predictions]
        return WEIGHT_CANDIDATES[int(np.argmax(scores))]

    def _log_proba(self, output: np.ndarray) -> np.ndarray:
        """Log-probabilities `(n, n_classes)` from probabilities or from a decision function."""
        if self.labeled is not None:
            return np.log(np.clip(output, 1e-3, 1))
        if output.ndim == 1:  # two classes
            output = np.column_stack([-output, output])
        return log_softmax(output, axis=1)
