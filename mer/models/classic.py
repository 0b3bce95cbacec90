"""Factories of classifiers other than neural networks: features of each clip, a scaler and a classifier."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.decomposition import PCA
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics.pairwise import linear_kernel, rbf_kernel
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from mer.features import (
    biwoof,
    block_hoof,
    dct,
    grid_windows,
    hog3d,
    lbp_top,
    mdmo,
    region_statistics,
    region_windows,
    resize,
)
from mer.models.per_clip import PerClip

# Standardized features are clipped at three standard deviations, so that no outlier dominates a kernel.
_CLIP = {"a_min": -3, "a_max": 3}


def majority() -> Pipeline:
    """Predicts the most frequent class of the training clips; the baseline for all scores."""
    return Pipeline([("features", PerClip(_no_features)), ("classifier", DummyClassifier(strategy="most_frequent"))])


def svm_linear(size: int = 28, C: float = 0.001) -> Pipeline:
    """Linear support vector machine on the flow field."""
    return _scaled(PerClip(_centered, {"size": size}), SVM("linear", C))


def svm_hoof(size: int = 28, blocks: int = 7, bins: int = 8, C: float = 2.0) -> Pipeline:
    """Support vector machine with a Gaussian kernel on orientation histograms; fast and accurate."""
    return _scaled(PerClip(block_hoof, {"size": size, "blocks": blocks, "bins": bins}), SVM("rbf", C))


def svm_mdmo(bins: int = 8, beta: float = 0.8, C: float = 2.0) -> Pipeline:
    """Main directions in 36 regions of the face (Liu et al., 2016)."""
    return _scaled(PerClip(_mdmo, {"bins": bins, "beta": beta}), SVM("rbf", C))


def svm_biwoof(blocks: int = 5, bins: int = 8, C: float = 2.0) -> Pipeline:
    """Orientation histograms weighted by magnitude and strain (Liong et al., 2018)."""
    return _scaled(PerClip(_biwoof, {"blocks": blocks, "bins": bins}), SVM("rbf", C))


def svm_lbptop(
    frames: int = 10, blocks: int = 5, radii: tuple[int, int, int] = (1, 1, 4), C: float = 0.001
) -> Pipeline:
    """LBP-TOP, a dynamic texture, of gray clips `(n, frames, H, W)` (Zhao and Pietikäinen, 2007)."""
    features = PerClip(_root_lbp_top, {"blocks": blocks, "radii": radii}, frames=frames)
    return _scaled(features, SVM("linear", C))


def svm_3dhog(frames: int = 10, blocks: int = 4, times: int = 2, C: float = 0.001) -> Pipeline:
    """Spatio-temporal gradients of gray clips `(n, frames, H, W)` (Polikovsky et al., 2009)."""
    return _scaled(PerClip(hog3d, {"blocks": blocks, "times": times}, frames=frames), SVM("linear", C))


def logistic(features: str = "dct", size: int = 28, keep: int = 8, C: float = 0.01) -> Pipeline:
    """Multinomial logistic regression on the low frequencies of the field.

    `features="dct"` uses the lowest `keep` x `keep` frequencies of u and v; `"pca"` uses the principal components of
    the training fields that explain 95 % of their variance.
    """
    regression = LogisticRegression(C=C, class_weight="balanced", max_iter=1000)
    if features == "dct":
        return _scaled(PerClip(dct, {"size": size, "keep": keep}), regression)
    if features != "pca":
        raise ValueError(f"features is {features!r}; expected 'dct' or 'pca'")
    fields = _scaled(PerClip(_centered, {"size": size}), regression)
    fields.steps.insert(1, ("pca", PCA(0.95, svd_solver="full")))
    return fields


def gbm(random_state: int | None = None, regions: str = "grid", iterations: int = 50) -> Pipeline:
    """Gradient-boosted trees on statistics of motion, strain, divergence and rotation in each region of the face.

    `regions="grid"` uses 5 x 5 windows; `"face"` uses anatomical regions and requires flow on the aligned crops of mer.
    """
    if regions not in ("grid", "face"):
        raise ValueError(f"regions is {regions!r}; expected 'grid' or 'face'")
    trees = HistGradientBoostingClassifier(
        max_iter=iterations,
        learning_rate=0.1,
        max_leaf_nodes=8,
        min_samples_leaf=10,
        l2_regularization=1.0,
        max_features=0.2,
        early_stopping=False,
        max_bins=31,
        class_weight="balanced",
        random_state=random_state,
    )
    return Pipeline([("features", PerClip(_statistics, {"regions": regions})), ("classifier", trees)])


def _scaled(features: Any, classifier: BaseEstimator) -> Pipeline:
    scale = [("scale", StandardScaler()), ("clip", FunctionTransformer(np.clip, kw_args=_CLIP))]
    return Pipeline([("features", features), *scale, ("classifier", classifier)])


class SVM(ClassifierMixin, BaseEstimator):
    """Support vector machine with balanced classes, on a kernel matrix computed by a matrix product.

    On long rows this is three to ten times as fast as `SVC(kernel="rbf", gamma="scale")`, with the same result.

    Parameters
    ----------
    kernel : {"rbf", "linear"}
        `"rbf"` is the Gaussian kernel with scikit-learn's `gamma="scale"`.
    C : float
        Penalty of margin violations, as in `sklearn.svm.SVC`.
    """

    def __init__(self, kernel: str = "rbf", C: float = 1.0) -> None:
        self.kernel = kernel
        self.C = C

    def fit(self, X: np.ndarray, y: np.ndarray) -> SVM:
        if self.kernel not in ("rbf", "linear"):
            raise ValueError(f"kernel is {self.kernel!r}; expected 'rbf' or 'linear'")
        X, y = validate_data(self, X, y)
        check_classification_targets(y)
        self.fitted_ = X
        machine = SVC(kernel="precomputed", C=self.C, class_weight="balanced", break_ties=True)
        self.machine_ = machine.fit(self._products(X), y)
        self.classes_ = self.machine_.classes_
        return self

    def _products(self, X: np.ndarray) -> np.ndarray:
        return (linear_kernel if self.kernel == "linear" else _gaussian_kernel)(X, self.fitted_)

    def decision_function(self, X: np.ndarray) -> np.ndarray:
        """Scores `(n, n_classes)`; for two classes `(n,)`, positive for the second."""
        check_is_fitted(self, "machine_")
        return self.machine_.decision_function(self._products(validate_data(self, X, reset=False)))

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Softmax of the decision function, `(n, n_classes)`; not calibrated.

        `SVC(probability=True)` would refit five times, on clips split without regard to people.
        """
        score = self.decision_function(X)
        return softmax(np.column_stack([-score, score]) / 2 if score.ndim == 1 else score, axis=1)

    def predict(self, X: np.ndarray) -> np.ndarray:
        """The class of each row, `(n,)`."""
        check_is_fitted(self, "machine_")
        return self.machine_.predict(self._products(validate_data(self, X, reset=False)))


def _gaussian_kernel(X: np.ndarray, fitted: np.ndarray) -> np.ndarray:
    return rbf_kernel(X, fitted, gamma=1 / (fitted.shape[1] * (fitted.var() or 1)))


def _no_features(flow: np.ndarray) -> np.ndarray:
    return np.zeros(1, np.float32)


def _centered(flow: np.ndarray, size: int = 28) -> np.ndarray:
    """The field at `size` x `size`, minus its median vector."""
    field = resize(flow, size)
    return field - np.median(field, axis=(0, 1))


def _mdmo(flow: np.ndarray, bins: int, beta: float) -> np.ndarray:
    return mdmo(_centered(flow, min(len(flow), 56)), bins, beta)


def _biwoof(flow: np.ndarray, blocks: int, bins: int) -> np.ndarray:
    return np.sqrt(biwoof(_centered(flow, min(len(flow), 56)), blocks, bins))


def _root_lbp_top(clip: np.ndarray, blocks: int, radii: tuple[int, int, int]) -> np.ndarray:
    return np.sqrt(lbp_top(clip, blocks, radii))


def _statistics(flow: np.ndarray, regions: str) -> np.ndarray:
    if regions == "grid":
        return region_statistics(resize(flow, 28), grid_windows(28, 5))
    return region_statistics(resize(flow, 56), region_windows(56))
