"""Classifiers that try to tell one fold of what another one has seen."""

from __future__ import annotations

import threading
from functools import partial

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mer.evaluation.evaluate_folder import evaluate
from mer.evaluation.fit_fold import Data, Task
from mer.evaluation.isolation import _of_one, is_trusted
from mer.models import MODELS, PerClip, TorchClassifier
from tests.drawn_flows import write_drawn_flows

SEEN: dict[bytes, str] = {}


class Gossip:
    """Keeps what it has seen where all its copies find it; guesses otherwise."""

    shared: dict[bytes, str] = {}  # noqa: RUF012  that is the point

    def __init__(self, known: dict[bytes, str] | None = None) -> None:
        self.known = Gossip.shared if known is None else known

    def fit(self, X, y):
        self.known.update({row.tobytes(): label for row, label in zip(X, y)})
        return self

    def predict(self, X):
        return np.array([self.known.get(row.tobytes(), "disgust") for row in X])


class Diary(Gossip):
    """Takes a copy of what the others have seen while it is fitted."""

    def fit(self, X, y):
        Gossip.shared.update({row.tobytes(): label for row, label in zip(X, y)})
        self.known = dict(Gossip.shared)
        return self


class Locked(Gossip):
    """Cannot be sent to another process."""

    lock = threading.Lock()

    def __init__(self) -> None:
        super().__init__()
        self.own = Locked.lock

    def __deepcopy__(self, memo):
        return Locked()


class Shy(ClassifierMixin, BaseEstimator):
    """Remembers only where it is told to."""

    def __init__(self, remember: bool = False) -> None:
        self.remember = remember

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.own = dict(SEEN)
        if self.remember:
            SEEN.update({row.tobytes(): label for row, label in zip(X, y)})
        return self

    def predict(self, X):
        return np.array([self.own.get(row.tobytes(), "disgust") for row in X])


class Choosy(Gossip):
    """Cannot be fitted to random rows, and remembers what it is fitted to."""

    def fit(self, X, y):
        if np.abs(X).max() > 3 or X.std() > 0.9:
            raise ValueError("no flow")
        return super().fit(X, y)


class Numbers(ClassifierMixin, BaseEstimator):
    """Keeps numbers for classes, and says names."""

    def fit(self, X, y):
        self.names = np.unique(y)
        self.classes_ = np.arange(len(self.names))
        return self

    def predict(self, X):
        return self.names[np.zeros(len(X), int)].tolist()

    def predict_proba(self, X):
        return np.tile(np.eye(len(self.names))[0], (len(X), 1))


class Nearest(KNeighborsClassifier):
    """Honest, and somebody else's."""


def gossip_by_default(known={}):  # noqa: B006  that is the point
    return Gossip(known)


@pytest.fixture(scope="module")
def four(tmp_path_factory):
    """Four people with clips whose labels are shuffled: a process for each takes a while; not to be written to."""
    folder = tmp_path_factory.mktemp("four")
    write_drawn_flows(folder, people=4, shuffled=True, seed=1)
    return folder


@pytest.fixture(autouse=True)
def _nothing_is_known_yet():
    Gossip.shared.clear()
    SEEN.clear()
    gossip_by_default.__defaults__[0].clear()


@pytest.mark.parametrize(
    "model",
    [
        Gossip,
        pytest.param(Diary, marks=pytest.mark.slow),
        pytest.param(lambda: Gossip(SEEN), marks=pytest.mark.slow),
        pytest.param(gossip_by_default, marks=pytest.mark.slow),
        pytest.param(partial(Gossip, SEEN), marks=pytest.mark.slow),
    ],
)
def test_what_is_passed_on_between_folds_gains_nothing(model, four):
    with pytest.warns(UserWarning, match="keeps what it has seen outside itself"):
        result = evaluate(four, model=model, seeds=1)
    assert set(result.predictions["prediction"]) == {"disgust"}
    assert result.settings["apart"]
    assert not Gossip.shared  # nothing was fitted here, so nothing is left for the next evaluation
    assert not SEEN


def test_one_that_cannot_be_sent_away_is_refused_where_it_remembers(four):
    with pytest.raises(ValueError, match="give every copy a memory of its own"):
        evaluate(four, model=Locked(), seeds=1)
    with pytest.raises(ValueError, match="try workers=1"):
        evaluate(four, model=Locked(), seeds=1, workers=2)


@pytest.mark.slow
def test_settings_from_a_grid_are_tried_too(four):
    with pytest.warns(UserWarning, match="keeps what it has seen"):
        result = evaluate(four, model=Shy(), grid={"remember": [True]}, seeds=1)
    assert set(result.predictions["prediction"]) == {"disgust"}


@pytest.mark.slow
def test_one_that_cannot_be_tried_has_a_process_for_each_fold(four):
    with pytest.warns(UserWarning, match="cannot be fitted to random rows"):
        result = evaluate(four, model=Choosy, seeds=1)
    assert result.settings["apart"]
    assert set(result.predictions["prediction"]) == {"disgust"}


def test_a_registered_factory_is_somebody_elses_still(four, monkeypatch):
    monkeypatch.setitem(MODELS, "mine", Gossip)
    assert not is_trusted("mine")
    with pytest.raises(ValueError, match="a cluster's workers keep"):
        evaluate(four, model="mine", cluster="tcp://nowhere:1")


def test_classes_that_are_numbers_give_no_scores(four):
    result = evaluate(four, model=Numbers(), seeds=1)
    assert not result.settings["apart"]
    assert result.predictions.filter(like="score_").isna().all(axis=None)


def test_an_honest_one_runs_here_and_apart_gives_the_same_answers(four):
    here, apart = (evaluate(four, model=Nearest(3), workers=n) for n in (1, 2))
    assert (here.settings["apart"], apart.settings["apart"]) == (False, True)
    pd.testing.assert_frame_equal(here.predictions, apart.predictions)


def test_a_fold_apart_does_not_know_the_test_peoples_classes():
    data = Data([np.arange(12.0).reshape(6, 2)], np.array(list("aabbab")), np.array(list("xxyyzz")), ("a", "b"))
    given = _of_one(data, Task(0, "z", np.array([0, 1, 2, 3]), np.array([4, 5])))
    assert given.truth.tolist() == ["a", "a", "b", "b", "", ""]
    assert given.rows[0].tolist() == data.rows[0].tolist()


def test_every_model_of_mer_is_trusted():
    assert [name for name in MODELS if not is_trusted(name)] == []


@pytest.mark.parametrize(
    ("model", "trusted"),
    [
        ("svm-hoof", True),
        (partial(MODELS["ststnet"], epochs=1), True),
        (make_pipeline(StandardScaler(), LogisticRegression()), True),
        (Nearest(), False),
        (make_pipeline(StandardScaler(), Nearest()), False),
        (Gossip, False),
        (make_pipeline(PerClip(gossip_by_default), LogisticRegression()), True),  # features see no labels
        (make_pipeline(SelectKBest(gossip_by_default), LogisticRegression()), False),
        (TorchClassifier(gossip_by_default), False),
    ],
)
def test_what_is_known_to_keep_nothing(model, trusted):
    assert is_trusted(model) is trusted
