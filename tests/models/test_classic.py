"""scikit-learn's own checks of estimators.

They bring tables of any width, which are no square flow fields: so they are run on what follows the features in each
pipeline, that is, on all that is fitted. Networks are checked in test_torch_classifier.py, :class:`mer.models.Twins`
here, on tables of an even width.
"""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.utils.estimator_checks import parametrize_with_checks

from mer.models import Twins, new_model
from mer.models.classic import SVM

CLASSIC = ["svm-linear", "svm-hoof", "svm-mdmo", "svm-biwoof", "svm-lbptop", "svm-3dhog", "logistic", "gbm"]


@pytest.mark.slow
@parametrize_with_checks([SVM("linear"), SVM("rbf")])
def test_it_is_a_classifier_of_scikit_learn(estimator, check):
    check(estimator)


@pytest.mark.parametrize("name", CLASSIC)
def test_what_is_fitted_takes_any_table_and_can_be_cloned(name):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 12)), np.repeat(["a", "b"], 20)
    X[y == "b"] += 1.5
    model = new_model(name)[1:].fit(X, y)
    assert model.score(X, y) > 0.8
    np.testing.assert_array_equal(clone(model).fit(X, y).predict_proba(X), model.predict_proba(X))


def test_twins_learn_from_both_sides_and_answer_for_both():
    rng = np.random.default_rng(0)
    y = np.repeat(["a", "b", "c"], 20)
    one = rng.normal(size=(60, 3)) + 3 * np.eye(3)[np.repeat([0, 1, 2], 20)]
    X = np.hstack([one, one[:, ::-1]])  # the mirror image of (x, y, z) is (z, y, x)
    model = Twins(LogisticRegression()).fit(X, y)
    swapped = np.hstack([one[:, ::-1], one])
    np.testing.assert_allclose(model.predict_proba(X), model.predict_proba(swapped))
    reference = LogisticRegression().fit(np.vstack([one, one[:, ::-1]]), np.tile(y, 2))
    np.testing.assert_allclose(model.classifier_.coef_, reference.coef_)
    with pytest.raises(ValueError, match="mirror image"):
        Twins(LogisticRegression()).fit(one, y)
