"""An ensemble that is fitted to faces and their mirror images, which show the same emotion."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import VotingClassifier
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted, validate_data

from mer.features import block_hoof, dct, mirror, resize
from mer.models.classic import logistic, svm_hoof, svm_linear
from mer.models.per_clip import PerClip


class Twins(ClassifierMixin, BaseEstimator):
    """Fits a classifier to clips and their mirror images, and averages its predictions for both.

    Each row of X concatenates the features of a clip and of its mirror image, `(n, 2 * d)`, as from
    :func:`both_sides`. Both are in the same row, so that they never end up in different folds.

    Parameters
    ----------
    classifier : estimator
        Takes rows of d features and has `predict_proba`.
    """

    def __init__(self, classifier: BaseEstimator) -> None:
        self.classifier = classifier

    def fit(self, X: np.ndarray, y: np.ndarray) -> Twins:
        X, y = validate_data(self, X, y)
        if X.shape[1] % 2:
            raise ValueError(f"rows of {X.shape[1]} features are not those of a clip and of its mirror image")
        self.classifier_ = clone(self.classifier).fit(np.vstack(np.hsplit(X, 2)), np.concatenate([y, y]))
        self.classes_ = self.classifier_.classes_
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Probability of each class, `(n, n_classes)`, in the order of `classes_`."""
        check_is_fitted(self, "classifier_")
        sides = np.hsplit(validate_data(self, X, reset=False), 2)
        return np.mean([self.classifier_.predict_proba(side) for side in sides], axis=0)

    def predict(self, X: np.ndarray) -> np.ndarray:
        """The most probable class of each row, `(n,)`."""
        probability = self.predict_proba(X)
        return self.classes_[probability.argmax(1)]


def ensemble(size: int = 28) -> Pipeline:
    """The mean of `svm-hoof`, `svm-linear` and `logistic`, fitted to faces and their mirror images."""
    members, start = [], 0
    for name, model in (("hoof", svm_hoof(size)), ("linear", svm_linear(size)), ("logistic", logistic(size=size))):
        width = model[0].transform(np.zeros((1, size, size, 2))).shape[1]
        columns = ColumnTransformer([("own", "passthrough", slice(start, start + width))])
        members.append((name, Pipeline([("columns", columns), *model.steps[1:]])))
        start += width
    features = PerClip(both_sides, {"feature": _all_features, "size": size})
    return Pipeline([("features", features), ("classifier", Twins(VotingClassifier(members, voting="soft")))])


def both_sides(flow: np.ndarray, feature: Callable[[np.ndarray], np.ndarray], size: int = 28) -> np.ndarray:
    """Features of a face and of its mirror image, `(2, d)`, from flow resampled to `size` x `size`."""
    field = resize(flow, size)
    return np.stack([np.ravel(feature(side)) for side in (field, mirror(field))])


def _all_features(field: np.ndarray) -> np.ndarray:
    """Features of all members of :func:`ensemble`, concatenated in their order."""
    size = len(field)
    return np.concatenate([block_hoof(field, size), (field - np.median(field, axis=(0, 1))).ravel(), dct(field, size)])
