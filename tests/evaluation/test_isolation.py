"""Classifiers that try to pass information between folds."""

from __future__ import annotations

import subprocess
import sys
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
from mer.evaluation.isolation import _visible, is_trusted
from mer.models import MODELS, PerClip, TorchClassifier
from tests.drawn_flows import write_drawn_flows

SEEN: dict[bytes, str] = {}


class SharedMemory:
    """Remembers clips in a dict that all copies share, by default an attribute of the class; else predicts disgust."""

    shared: dict[bytes, str] = {}  # noqa: RUF012  shared on purpose

    def __init__(self, memory: dict[bytes, str] | None = None) -> None:
        self.memory = SharedMemory.shared if memory is None else memory

    def fit(self, X, y):
        self.memory.update({row.tobytes(): label for row, label in zip(X, y)})
        return self

    def predict(self, X):
        return np.array([self.memory.get(row.tobytes(), "disgust") for row in X])


class CopiedMemory(SharedMemory):
    """Copies the shared memory when it is fitted."""

    def fit(self, X, y):
        SharedMemory.shared.update({row.tobytes(): label for row, label in zip(X, y)})
        self.memory = dict(SharedMemory.shared)
        return self


class GlobalMemory(ClassifierMixin, BaseEstimator):
    """Remembers clips in a global variable, with a parameter of a grid."""

    def __init__(self, remember: bool = False) -> None:
        self.remember = remember

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.memory = dict(SEEN)
        if self.remember:
            SEEN.update({row.tobytes(): label for row, label in zip(X, y)})
        return self

    def predict(self, X):
        return np.array([self.memory.get(row.tobytes(), "disgust") for row in X])


def memory_in_a_default_argument(memory={}):  # noqa: B006  shared on purpose
    return SharedMemory(memory)


def memory_in_a_closure():
    memory: dict[bytes, str] = {}
    return lambda: SharedMemory(memory)


class Locked(SharedMemory):
    """Cannot be pickled."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()

    def __deepcopy__(self, memo):
        return Locked()


class NumberedClasses(ClassifierMixin, BaseEstimator):
    """Has numbers in `classes_`, and predicts names."""

    def fit(self, X, y):
        self.names = np.unique(y)
        self.classes_ = np.arange(len(self.names))
        return self

    def predict(self, X):
        return self.names[np.zeros(len(X), int)].tolist()

    def predict_proba(self, X):
        return np.tile(np.eye(len(self.names))[0], (len(X), 1))


class Nearest(KNeighborsClassifier):
    """An honest classifier that is not scikit-learn's own."""


@pytest.fixture(scope="module")
def four(tmp_path_factory):
    """Four people with clips whose labels are shuffled; not to be written to."""
    folder = tmp_path_factory.mktemp("four")
    write_drawn_flows(folder, people=4, shuffled=True, seed=1)
    return folder


@pytest.fixture(autouse=True)
def _empty_memories():
    SharedMemory.shared.clear()
    SEEN.clear()
    memory_in_a_default_argument.__defaults__[0].clear()


MEMORIES = {
    "class attribute": SharedMemory,
    "copied class attribute": CopiedMemory,
    "global": lambda: SharedMemory(SEEN),
    "closure": memory_in_a_closure(),
    "default argument": memory_in_a_default_argument,
    "partial": partial(SharedMemory, SEEN),
}


@pytest.mark.parametrize("model", MEMORIES.values(), ids=MEMORIES)
def test_a_memory_outside_the_classifier_scores_chance(model, four):
    result = evaluate(four, model=model, seeds=1)
    assert set(result.predictions["prediction"]) == {"disgust"}
    assert result.settings["apart"]
    assert not SharedMemory.shared  # nothing was fitted in this process, so nothing reaches the next evaluation
    assert not SEEN


def test_a_memory_scores_chance_with_several_workers(four):
    result = evaluate(four, model=SharedMemory, seeds=2, workers=2)
    assert set(result.predictions["prediction"]) == {"disgust"}


@pytest.mark.parametrize("model", MEMORIES.values(), ids=MEMORIES)
def test_the_same_memory_would_recognize_test_people_in_one_process(model, four, monkeypatch):
    monkeypatch.setattr("mer.evaluation.model_set.is_trusted", lambda model: True)
    assert evaluate(four, model=model, seeds=1).scores["accuracy"] > 0.7


def test_a_memory_that_a_grid_turns_on_scores_chance(four):
    result = evaluate(four, model=GlobalMemory(), grid={"remember": [True]}, seeds=1)
    assert set(result.predictions["prediction"]) == {"disgust"}


def test_a_classifier_that_cannot_be_sent_is_refused(four):
    with pytest.raises(ValueError, match=r"cannot be sent to another process \(TypeError: .*lock.*\); remove"):
        evaluate(four, model=Locked(), seeds=1)


def test_a_registered_factory_is_not_trusted(four, monkeypatch):
    monkeypatch.setitem(MODELS, "mine", SharedMemory)
    assert not is_trusted("mine")
    with pytest.raises(ValueError, match="a cluster fits the classifiers of mer and scikit-learn only"):
        evaluate(four, model="mine", cluster="tcp://nowhere:1")


def test_nothing_is_cached_of_a_registered_factory(four, monkeypatch, tmp_path):
    monkeypatch.setitem(MODELS, "mine", SharedMemory)
    result = evaluate(four, model="mine", seeds=1, keep=tmp_path)
    assert set(result.predictions["prediction"]) == {"disgust"}
    assert not list(tmp_path.iterdir())


def test_a_registered_factory_that_draws_random_numbers_uses_all_cores(four, monkeypatch):
    monkeypatch.setitem(MODELS, "mine", lambda random_state: make_pipeline(StandardScaler(), Nearest()))
    assert len(evaluate(four, model="mine", seeds=2).predictions) == 2 * 24


def test_classes_that_are_numbers_give_no_scores(four):
    result = evaluate(four, model=NumberedClasses(), seeds=1)
    assert result.predictions.filter(like="score_").isna().all(axis=None)


def test_an_honest_classifier_gets_the_same_predictions_in_one_process(four, monkeypatch):
    fresh = evaluate(four, model=Nearest(3))
    parallel = evaluate(four, model=Nearest(3), workers=2)
    monkeypatch.setattr("mer.evaluation.model_set.is_trusted", lambda model: True)
    together = evaluate(four, model=Nearest(3))
    assert [result.settings["apart"] for result in (fresh, parallel, together)] == [True, True, False]
    pd.testing.assert_frame_equal(fresh.predictions, together.predictions)
    pd.testing.assert_frame_equal(fresh.predictions, parallel.predictions)


def test_a_script_without_a_main_guard_can_evaluate_its_own_class(four, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import numpy as np, mer\n"
        "class Always:\n"
        "    def fit(self, X, y): return self\n"
        "    def predict(self, X): return np.full(len(X), 'surprise')\n"
        f"print(mer.evaluate({str(four)!r}, model=Always, seeds=1).scores['accuracy'])\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120)
    assert done.stdout.splitlines() == [str(1 / 3)], done.stderr


def test_a_fold_sees_neither_other_rows_nor_the_classes_of_test_people():
    data = Data([np.arange(12.0).reshape(6, 2)], np.array(list("aabbab")), np.array(list("xxyyzz")), ("a", "b"))
    own, task = _visible(data, Task(3, "z", np.array([1, 2, 3]), np.array([4, 5])))
    assert own.truth.tolist() == ["a", "b", "b", "", ""]
    assert own.people.tolist() == list("xyyzz")
    assert own.rows[0].tolist() == data.rows[0][1:].tolist()
    assert (task.seed, task.fold, task.train.tolist(), task.test.tolist()) == (3, "z", [0, 1, 2], [3, 4])


def test_all_models_of_mer_are_trusted():
    assert [name for name in MODELS if not is_trusted(name)] == []


@pytest.mark.parametrize(
    ("model", "trusted"),
    [
        ("svm-hoof", True),
        (partial(MODELS["ststnet"], epochs=1), True),
        (make_pipeline(StandardScaler(), LogisticRegression()), True),
        (Nearest(), False),
        (make_pipeline(StandardScaler(), Nearest()), False),
        (SharedMemory, False),
        (make_pipeline(PerClip(memory_in_a_default_argument), LogisticRegression()), True),  # features see no labels
        (make_pipeline(SelectKBest(memory_in_a_default_argument), LogisticRegression()), False),
        (TorchClassifier(memory_in_a_default_argument), False),
    ],
)
def test_only_classifiers_of_mer_and_scikit_learn_are_trusted(model, trusted):
    assert is_trusted(model) is trusted
