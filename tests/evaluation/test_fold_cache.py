"""An interrupted evaluation resumes, and uses nothing of another one."""

from pathlib import Path

import numpy as np
import pytest

from mer.evaluation.evaluate_folder import evaluate
from mer.evaluation.fit_fold import Answer, Candidate, Task
from mer.evaluation.fold_cache import cached_answers
from tests.drawn_flows import write_drawn_flows

SETTINGS = {"model": "logistic", "grid": {"C": [0.1, 1]}, "seeds": 1}


@pytest.fixture(scope="module")
def flows(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("kept") / "flows"
    write_drawn_flows(folder, people=4, clips=3)
    return folder


@pytest.fixture
def fitted(monkeypatch) -> list[str]:
    """The folds that are computed, not read."""
    from mer.evaluation import fit_fold

    folds: list[str] = []
    answer = fit_fold.answer

    def counted(task, *others, **named):
        folds.append(task.fold)
        return answer(task, *others, **named)

    monkeypatch.setattr(fit_fold, "answer", counted)
    return folds


def same(a, b) -> bool:
    return a.predictions.equals(b.predictions) and a.chosen.equals(b.chosen) and a.scores == b.scores


def test_an_interrupted_run_resumes(flows, tmp_path, fitted):
    whole = evaluate(flows, **SETTINGS)
    fitted.clear()

    def stop(items, total, what):
        for done, item in enumerate(items):
            if done == 2 and "fold" in what:
                raise KeyboardInterrupt
            yield item

    with pytest.raises(KeyboardInterrupt):
        evaluate(flows, **SETTINGS, keep=tmp_path, track=stop)
    assert len(fitted) == 3
    fitted.clear()
    assert same(evaluate(flows, **SETTINGS, keep=tmp_path), whole)
    assert len(fitted) == 1
    fitted.clear()
    assert same(evaluate(flows, **SETTINGS, keep=tmp_path), whole)
    assert fitted == []


def test_damaged_answers_and_those_of_another_evaluation_are_computed_again(flows, tmp_path, fitted):
    whole = evaluate(flows, **SETTINGS, keep=tmp_path)
    file = sorted(tmp_path.iterdir())[0]
    file.write_bytes(file.read_bytes()[:100])
    fitted.clear()
    assert same(evaluate(flows, **SETTINGS, keep=tmp_path), whole)
    assert len(fitted) == 1
    fitted.clear()
    evaluate(flows, **{**SETTINGS, "grid": {"C": [0.1, 2]}}, keep=tmp_path)
    evaluate(flows, **SETTINGS, component="facial", keep=tmp_path)
    assert len(fitted) == 8


def test_nothing_is_cached_of_a_model_without_a_name(flows, tmp_path):
    class Guess:
        def fit(self, X, y):
            self.label = y[0]
            return self

        def predict(self, X):
            return np.full(len(X), self.label)

    evaluate(flows, model=Guess(), seeds=1, keep=tmp_path)
    assert list(tmp_path.iterdir()) == []


def answer_with(value: float):
    """A function that answers every task with this score."""

    def compute(tasks):
        return iter([Answer(task, np.array(["a"]), np.array([[value]])) for task in tasks])

    return compute


@pytest.mark.parametrize(
    "other",
    [
        Task(1, "s00", np.array([0, 1]), np.array([2])),  # another seed
        Task(0, "s01", np.array([0, 1]), np.array([2])),
        Task(0, "s00", np.array([0, 3]), np.array([2])),
        Task(0, "s00", np.array([0, 1]), np.array([3])),
    ],
)
def test_answers_of_another_seed_fold_or_rows_are_not_used(other, tmp_path):
    task, candidates = Task(0, "s00", np.array([0, 1]), np.array([2])), [Candidate(0, {})]
    list(cached_answers([task], answer_with(1.0), candidates, tmp_path, {}))
    [cached] = cached_answers([task], answer_with(2.0), candidates, tmp_path, {})
    assert cached.scores == 1.0
    [computed] = cached_answers([other], answer_with(2.0), candidates, tmp_path, {})
    assert computed.scores == 2.0
    assert len(list(tmp_path.iterdir())) == 2


def test_a_resumed_run_of_several_seeds_takes_each_seed_for_itself(flows, tmp_path):
    settings = {"model": "gbm", "seeds": 2, "workers": 1}
    whole = evaluate(flows, **settings)
    evaluate(flows, **{**settings, "seeds": 1}, keep=tmp_path)
    assert len(list(tmp_path.iterdir())) == 4
    assert whole.predictions.equals(evaluate(flows, **settings, keep=tmp_path).predictions)
    assert len(list(tmp_path.iterdir())) == 8
