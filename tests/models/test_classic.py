"""scikit-learn's estimator checks use tables of any width, which are not square flow fields. Hence they are run on the
fitted steps of each pipeline, without the features.
"""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import cross_val_score
from sklearn.svm import SVC
from sklearn.utils.estimator_checks import parametrize_with_checks

from mer.models import MODELS, new_model
from mer.models.classic import SVM
from tests.drawn_flows import MOTION, drawn_field

CLASSIC = ["svm-linear", "svm-hoof", "svm-mdmo", "svm-biwoof", "svm-lbptop", "svm-3dhog", "logistic", "gbm"]


@pytest.fixture(scope="module")
def drawn() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    y = np.array([list(MOTION)[i % 3] for i in range(45)])
    return np.stack([drawn_field(label, rng) for label in y]), y


@pytest.mark.slow
@parametrize_with_checks([SVM("linear"), SVM("rbf")])
def test_the_support_vector_machine_passes_the_checks_of_scikit_learn(estimator, check):
    check(estimator)


@pytest.mark.parametrize("name", CLASSIC)
def test_the_fitted_steps_take_any_table_and_can_be_cloned(name):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 12)), np.repeat(["a", "b"], 20)
    X[y == "b"] += 1.5
    model = new_model(name)[1:].fit(X, y)
    assert model.score(X, y) > 0.8
    np.testing.assert_array_equal(clone(model).fit(X, y).predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize("name", ["svm-linear", "svm-hoof"])
def test_models_learn_drawn_classes_from_fields_and_from_rows(name, drawn):
    fields, y = drawn
    assert cross_val_score(MODELS[name](), fields, y, cv=3).mean() > 0.9
    rows = fields.reshape(len(fields), -1)
    model = MODELS[name]().fit(rows, y)
    np.testing.assert_array_equal(model.predict(rows), clone(model).fit(fields, y).predict(fields))


def test_majority_predicts_the_most_frequent_class(drawn):
    fields, _ = drawn
    model = MODELS["majority"]().fit(fields[:5], ["a", "b", "b", "b", "a"])
    assert set(model.predict(fields)) == {"b"}


def test_the_kernel_is_that_of_scikit_learn(drawn):
    fields, y = drawn
    model = MODELS["svm-hoof"]().fit(fields, y)
    features, classifier = model[:-1].transform(fields), model[-1]
    reference = SVC(kernel="rbf", gamma="scale", C=classifier.C, class_weight="balanced").fit(features, y)
    expected = reference.decision_function(features[:9])
    np.testing.assert_allclose(classifier.decision_function(features[:9]), expected, atol=1e-3)


@pytest.mark.parametrize("name", ["svm-linear", "svm-hoof", "ststnet"])
def test_flow_that_is_not_finite_is_refused(name, drawn):
    fields, y = drawn
    broken = fields.copy()
    broken[0, 0, 0, 0] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        new_model(name).fit(broken, y)


@pytest.mark.parametrize("name", ["majority", "svm-linear", "svm-hoof"])
def test_zero_flow_is_classified(name):
    still = np.zeros((8, 28, 28, 2))
    assert len(MODELS[name]().fit(still, ["a", "b"] * 4).predict(still[:1])) == 1


@pytest.mark.parametrize("kernel", ["rbf", "linear"])
def test_rare_classes_weigh_as_much_as_frequent_ones(kernel):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 4)), np.repeat(["frequent", "rare"], [50, 10])
    X[50:] += 1
    balanced, unweighted = (
        SVC(kernel=kernel, C=0.5, class_weight=weight).fit(X, y).decision_function(X) for weight in ("balanced", None)
    )
    np.testing.assert_allclose(SVM(kernel, C=0.5).fit(X, y).decision_function(X), balanced, atol=1e-2)
    assert np.abs(balanced - unweighted).max() > 0.1


def test_a_constant_offset_does_not_change_the_field_of_the_linear_machine(drawn):
    fields = drawn[0][:3].astype(np.float64)
    features = MODELS["svm-linear"]()[0]
    np.testing.assert_allclose(features.fit_transform(fields + [5, -3]), features.fit_transform(fields), atol=1e-4)
