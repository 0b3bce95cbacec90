import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mer.evaluation.fit_fold import Data, Task, answer, candidates_of, full_grid

PEOPLE = np.tile(list("abcdefg"), 6)  # interleaved, so that folds of consecutive rows mix people
TRUTH = np.repeat(["x", "y"], 21)
TASK = Task(0, "g", np.flatnonzero(PEOPLE != "g"), np.flatnonzero(PEOPLE == "g"))


class Recorder(ClassifierMixin, BaseEstimator):
    """Records the people, in the first column of X, of each fit and prediction."""

    calls: list = []  # noqa: RUF012  shared on purpose

    def __init__(self, setting: int = 0) -> None:
        self.setting = setting

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.trained = set(X[:, 0])
        return self

    def predict(self, X):
        Recorder.calls.append((self.trained, set(X[:, 0])))
        return np.full(len(X), self.classes_[0])


def test_inner_folds_are_by_person():
    Recorder.calls.clear()
    rows = np.array([[ord(person)] for person in PEOPLE])
    data = Data([rows], TRUTH, PEOPLE, ("x", "y"))
    answer(TASK, data, [Recorder()], candidates_of([Recorder()], {"setting": [0, 1]}))
    *inner, (outer_train, outer_test) = Recorder.calls
    assert len(inner) == 2 * 5
    assert all(not trained & tested and ord("g") not in trained | tested for trained, tested in inner)
    assert (outer_train, outer_test) == ({ord(person) for person in "abcdef"}, {ord("g")})


def test_the_candidate_with_the_best_inner_score_is_chosen():
    rows = np.column_stack([TRUTH == "y", np.zeros(len(TRUTH))]).astype(float)
    data = Data([rows], TRUTH, PEOPLE, ("x", "y"))
    candidates = candidates_of([LogisticRegression()], {"C": [1e-9, 10.0]})
    found = answer(TASK, data, [LogisticRegression(class_weight="balanced")], candidates)
    assert found.prediction.tolist() == TRUTH[TASK.test].tolist()


def test_scores_of_two_classes_are_in_the_order_of_the_protocol():
    class Signed(Recorder):
        def decision_function(self, X):
            return np.ones(len(X))  # for y, the second of classes_

    data = Data([np.zeros((len(TRUTH), 1))], TRUTH, PEOPLE, ("y", "z", "x"))
    scores = answer(TASK, data, [Signed()], candidates_of([Signed()], None)).scores
    np.testing.assert_array_equal(scores, np.tile([1, np.nan, -1], (6, 1)))


def test_a_single_training_class_is_predicted_without_a_fit():
    data = Data([np.zeros((len(TRUTH), 1))], np.full(len(TRUTH), "y"), PEOPLE, ("x", "y"))
    found = answer(TASK, data, [None], candidates_of([None], None))
    assert set(found.prediction) == {"y"}
    np.testing.assert_array_equal(found.scores, np.tile([np.nan, 1], (6, 1)))


def test_short_names_of_parameters_become_full_names():
    model = make_pipeline(StandardScaler(), LogisticRegression())
    assert full_grid(model, {"C": [1, 2]}) == {"logisticregression__C": [1, 2]}
    with pytest.raises(ValueError, match="'C' is ambiguous; choose from a__C, b__C"):

        class Two(BaseEstimator):
            def get_params(self, deep=True):
                return {"a__C": 1, "b__C": 2}

            def set_params(self, **parameters):
                return self

            def fit(self, X, y):
                return self

            def predict(self, X):
                return X

            def __sklearn_clone__(self):
                return Two()

        full_grid(Two(), {"C": [1]})


class Fixed(ClassifierMixin, BaseEstimator):
    """Predicts a fixed array for the six test rows, or needs numbers as classes."""

    def __init__(self, prediction: object = None) -> None:
        self.prediction = prediction

    def fit(self, X, y):
        if self.prediction is None and np.asarray(y).dtype.kind not in "iu":
            raise ValueError("Invalid classes inferred from unique values of `y`. Expected: [0 1], got ['x' 'y']")

    def predict(self, X):
        return self.prediction


def predicted(prediction: object) -> list[str]:
    rows = np.zeros((len(PEOPLE), 1))
    model = Fixed(prediction)
    found = answer(TASK, Data([rows], TRUTH, PEOPLE, ("x", "y")), [model], candidates_of([model], None))
    return found.prediction.tolist()


@pytest.mark.parametrize(
    "prediction",
    [
        np.repeat([["x"]], 6, axis=0),  # a column, as CatBoost returns
        ["x"] * 6,
        np.array(["x"] * 6, dtype=object),
        np.array([b"x"] * 6),
        pd.Series(["x"] * 6),
        pd.DataFrame({"class": ["x"] * 6}),
    ],
)
def test_names_of_classes_are_taken_in_every_form(prediction):
    assert predicted(prediction) == ["x"] * 6


@pytest.mark.parametrize(
    ("prediction", "message"),
    [
        (np.zeros(6, int), "predict returned 0, but the classes are x, y. .*LabelEncoder"),
        (np.eye(2)[[0] * 6], r"shape \(6, 2\) for 6 clips"),
        (["x"] * 5, r"shape \(5,\) for 6 clips"),
        (["z"] * 6, "predict returned z, but the classes are x, y"),
        (None, "cannot be fitted .*LabelEncoder"),
    ],
)
def test_other_predictions_are_refused_with_a_hint(prediction, message):
    with pytest.raises(ValueError, match=message):
        predicted(prediction)
