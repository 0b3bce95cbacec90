import numpy as np
import pandas as pd

from mer.evaluation.fit_fold import Answer, Candidate, Task
from mer.evaluation.prediction_tables import chosen_table, prediction_table

SAMPLES = pd.DataFrame({"dataset": "d", "subject": ["a", "a", "b"], "clip": ["1", "2", "1"], "onset": 0})
TRUTH = np.array(["x", "y", "x"])
FOLDS = [("a", np.array([2]), np.array([0, 1])), ("b", np.array([0, 1]), np.array([2]))]


def answer(seed, fold, test, prediction, scores, chosen=None, epochs=None):
    return Answer(
        Task(seed, fold, np.array([]), np.array(test)), np.array(prediction), np.array(scores), chosen, epochs
    )


def test_one_row_per_tested_sample_and_seed():
    answers = [
        answer(0, "a", [0, 1], ["x", "x"], [[0.9, 0.1], [0.6, 0.4]]),
        answer(0, "b", [2], ["y"], [[0.2, 0.8]]),
        answer(1, "a", [0, 1], ["y", "y"], [[0.1, 0.9], [0.3, 0.7]]),
        answer(1, "b", [2], ["x"], [[0.7, 0.3]]),
    ]
    table = prediction_table(SAMPLES, TRUTH, FOLDS, answers, ("x", "y"))
    assert table["seed"].tolist() == [0, 0, 0, 1, 1, 1]
    assert table["fold"].tolist() == ["a", "a", "b"] * 2
    assert table["label"].tolist() == ["x", "y", "x"] * 2
    assert table["prediction"].tolist() == ["x", "x", "y", "y", "y", "x"]
    assert table["score_y"].tolist() == [0.1, 0.4, 0.8, 0.9, 0.7, 0.3]


def test_a_sample_without_an_answer_has_an_empty_prediction():
    table = prediction_table(SAMPLES, TRUTH, FOLDS, [answer(0, "b", [2], ["x"], [[1, 0]])], ("x", "y"))
    assert table["prediction"].tolist() == ["", "", "x"]


def test_the_oracle_takes_the_last_of_the_best_epochs():
    epochs = np.array([["y", "y"], ["x", "y"], ["x", "y"], ["y", "x"]])
    answers = [answer(0, "a", [0, 1], ["y", "x"], [[0, 1], [1, 0]], epochs=epochs)]
    table = prediction_table(SAMPLES, TRUTH, FOLDS[:1], answers, ("x", "y"))
    assert table["oracle_epoch"].tolist() == [3, 3]
    assert table["oracle_prediction"].tolist() == ["x", "y"]


def test_action_units_are_the_first_column():
    table = prediction_table(SAMPLES, TRUTH, FOLDS, [answer(0, "b", [2], ["x"], [[1, 0]])], ("x", "y"), unit=12)
    assert table.columns[0] == "unit"
    assert set(table["unit"]) == {12}


def test_chosen_settings_have_one_row_per_fold_and_seed():
    chosen = Candidate(1, {"svc__C": 2})
    answers = [answer(0, "a", [0], ["x"], [[1, 0]], chosen), answer(0, "b", [2], ["x"], [[1, 0]])]
    rows = chosen_table(answers, ["svm-hoof", "gbm"]).to_dict("records")
    assert rows == [{"fold": "a", "seed": 0, "model": "gbm", "svc__C": 2}]
    assert chosen_table(answers[1:], ["svm-hoof"]).columns.tolist() == ["fold", "seed"]
