import numpy as np
import pytest
from sklearn.base import clone
from sklearn.metrics import f1_score

from mer.models import new_model
from mer.models.synthetic_prior import PriorStacking, ensemble_synth, svm_hoof_synth
from mer.models.zero_shot_classifier import CLASSES


@pytest.fixture(scope="module")
def data(rendered):
    """Rows, classes, training rows, test rows; split by person."""
    X = rendered.flows.reshape(len(rendered.flows), -1)
    return X, rendered.labels, rendered.people < 10, rendered.people >= 10


def macro_f1(model, data) -> float:
    X, y, train, test = data
    return f1_score(y[test], model.fit(X[train], y[train]).predict(X[test]), average="macro")


@pytest.mark.parametrize("name", ["svm-hoof", "ensemble"])
def test_stacking_is_better_than_labels_alone(name, data):
    stacked = new_model(f"{name}-synth")
    assert macro_f1(stacked, data) > macro_f1(new_model(name), data)
    assert stacked[-1].prior_weight_ in (1, 2, 4, 8)


def test_without_weight_the_networks_are_ignored(data):
    X, y, train, test = data
    model = svm_hoof_synth(prior_weight=0).fit(X[train], y[train])
    labeled_only = new_model("svm-hoof").fit(X[train], y[train])
    expected = labeled_only.classes_[labeled_only.decision_function(X[test]).argmax(1)]
    assert (np.array(CLASSES)[model.predict_proba(X[test]).argmax(1)] == expected).all()


def test_the_old_name_of_the_weight_is_accepted():
    for factory in (svm_hoof_synth, ensemble_synth):
        assert factory(say=4.0)[-1].prior_weight == 4.0
        assert factory(prior_weight=2.0)[-1].prior_weight == 2.0


def test_a_class_with_a_single_clip_gets_the_default_weight(data):
    X = data[0]
    features = svm_hoof_synth()[0].transform(X[:6])
    model = PriorStacking().fit(features, np.array(["negative"] * 5 + ["positive"]))
    assert model.prior_weight_ == 2.0
    assert model.predict_proba(features).shape == (6, 2)


@pytest.mark.parametrize("name", ["zero-shot", "zero-shot-strict", "svm-hoof-synth", "ensemble-synth"])
def test_they_can_be_cloned(name):
    model = new_model(name)
    assert repr(clone(model)) == repr(model)
