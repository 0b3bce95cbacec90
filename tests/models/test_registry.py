import subprocess
import sys

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.linear_model import LogisticRegression

import mer.models
from mer.models import MODELS, is_seeded, name_of, new_model, ststnet


def test_listing_the_names_imports_neither_scikit_learn_nor_torch():
    program = "import sys, mer; assert len(mer.MODELS) > 20; assert not {'sklearn', 'torch'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_each_name_is_a_public_function():
    assert [name for name in MODELS if MODELS[name] is not getattr(mer.models, name.replace("-", "_"))] == []
    assert {factory.__name__ for factory in MODELS.values()} <= set(mer.models.__all__)


def test_a_factory_can_be_added(monkeypatch):
    monkeypatch.setitem(MODELS, "regression", LogisticRegression)
    assert isinstance(new_model("regression"), LogisticRegression)
    assert name_of(LogisticRegression) == "regression"


@pytest.mark.parametrize("name", MODELS)
def test_every_model_can_be_cloned_and_described(name):
    model = new_model(name, seed=3)
    assert repr(clone(model)) == repr(model)
    assert is_seeded(name) == ("random_state=3" in repr(model))
    assert name_of(MODELS[name]) == name


class Plain:
    """A classifier without get_params."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def fit(self, X, y):
        self.sizes.append(len(X))
        return self

    def predict(self, X):
        return np.array(["a"] * len(X))


def test_new_models_share_no_state_with_the_original():
    plain = Plain()
    new_model(plain).fit(np.zeros((3, 2)), ["a"] * 3)
    assert plain.sizes == []

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
    assert is_seeded(Plain())  # it may draw random numbers
    assert not is_seeded(Plain)


def test_objects_that_are_not_models_are_refused():
    with pytest.raises(ValueError, match=r"unknown model 'svm'; choose from majority, svm-linear, svm-hoof, "):
        new_model("svm")
    with pytest.raises(ValueError, match="got int"):
        new_model(3)
    shared = Plain()
    with pytest.raises(ValueError, match="same object"):
        new_model(lambda: shared)
