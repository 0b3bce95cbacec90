import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.svm import SVC

from mer.models import MODELS, is_seeded, new_model, ststnet
from tests.drawn_flows import MOTION, drawn_field


@pytest.fixture(scope="module")
def drawn() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    y = np.array([list(MOTION)[i % 3] for i in range(45)])
    return np.stack([drawn_field(label, rng) for label in y]), y


@pytest.mark.parametrize("name", ["svm-linear", "svm-hoof"])
def test_models_learn_drawn_classes_from_fields_and_from_rows(name, drawn):
    fields, y = drawn
    assert cross_val_score(MODELS[name](), fields, y, cv=3).mean() > 0.9
    rows = fields.reshape(len(fields), -1)
    model = MODELS[name]().fit(rows, y)
    np.testing.assert_array_equal(model.predict(rows), clone(model).fit(fields, y).predict(fields))


def test_majority_answers_the_most_frequent_class(drawn):
    fields, _ = drawn
    model = MODELS["majority"]().fit(fields[:5], ["a", "b", "b", "b", "a"])
    assert set(model.predict(fields)) == {"b"}


def test_ststnet_learns_drawn_classes(drawn):
    fields, y = drawn
    model = ststnet(0, epochs=40, learning_rate=5e-3).fit(fields[:30], y[:30])
    assert model.score(fields[30:], y[30:]) > 0.8


@pytest.mark.parametrize("name", MODELS)
def test_every_model_can_be_cloned_and_described(name):
    model = new_model(name, seed=3)
    assert repr(clone(model)) == repr(model)
    assert is_seeded(name) == ("random_state=3" in repr(model))


@pytest.mark.parametrize("name", ["svm-linear", "svm-hoof", "ststnet"])
def test_flow_that_is_not_finite_is_refused(name, drawn):
    fields, y = drawn
    broken = fields.copy()
    broken[0, 0, 0, 0] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        new_model(name).fit(broken, y)


def test_flow_without_motion_is_no_error():
    y = ["a", "b"] * 4
    for name in ("majority", "svm-linear", "svm-hoof"):
        assert len(MODELS[name]().fit(np.zeros((8, 28, 28, 2)), y).predict(np.zeros((1, 28, 28, 2)))) == 1
    assert np.isfinite(
        ststnet(0, epochs=2).fit(np.zeros((8, 28, 28, 2)), y).predict_proba(np.zeros((1, 28, 28, 2)))
    ).all()


def test_the_kernel_is_that_of_scikit_learn(drawn):
    fields, y = drawn
    model = MODELS["svm-hoof"]().fit(fields, y)
    features, classifier = model[:-1].transform(fields), model[-1]
    reference = SVC(kernel="rbf", gamma="scale", C=classifier.C, class_weight="balanced").fit(features, y)
    expected = reference.decision_function(features[:9])
    np.testing.assert_allclose(classifier.decision_function(features[:9]), expected, atol=1e-3)


class Plain:
    """A classifier that tells scikit-learn nothing."""

    def __init__(self) -> None:
        self.seen: list[int] = []

    def fit(self, X, y):
        self.seen.append(len(X))
        return self

    def predict(self, X):
        return np.array(["a"] * len(X))


def test_new_models_share_nothing_with_the_one_given():
    plain = Plain()
    new_model(plain).fit(np.zeros((3, 2)), ["a"] * 3)
    assert plain.seen == []

    class Sharing(ClassifierMixin, BaseEstimator):
        def __init__(self, memory):
            self.memory = memory

        def fit(self, X, y):
            self.memory["y"] = y

        def predict(self, X):
            return X

    sharing = Sharing({})
    new_model(sharing).fit(np.zeros((3, 2)), ["a"] * 3)
    assert sharing.memory == {}


def test_seeds_reach_functions_and_estimators():
    assert new_model(LogisticRegression(), 7).random_state == 7
    assert new_model(lambda random_state: LogisticRegression(random_state=random_state), 7).random_state == 7
    assert new_model(ststnet(0), 7).get_params()["classifier__random_state"] == 7
    assert is_seeded(Plain())  # it may draw numbers: nobody knows
    assert not is_seeded(Plain)


def test_what_is_not_a_model_is_told():
    with pytest.raises(ValueError, match=r"no model 'svm'; there are majority, svm-linear, svm-hoof, "):
        new_model("svm")
    with pytest.raises(ValueError, match="got int"):
        new_model(3)
    one = Plain()
    with pytest.raises(ValueError, match="same object"):
        new_model(lambda: one)
