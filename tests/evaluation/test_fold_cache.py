"""An evaluation that was ended goes on where it stopped, and takes nothing from another one."""

from pathlib import Path

import numpy as np
import pytest

from mer.evaluation.evaluate_folder import evaluate
from tests.drawn_flows import write_drawn_flows

SETTINGS = {"model": "logistic", "grid": {"C": [0.1, 1]}, "seeds": 1}


@pytest.fixture(scope="module")
def flows(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("kept") / "flows"
    write_drawn_flows(folder, people=4, clips=3)
    return folder


@pytest.fixture
def fitted(monkeypatch) -> list[str]:
    """The folds that are really computed."""
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


def test_a_run_that_was_ended_goes_on(flows, tmp_path, fitted):
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


def test_what_is_damaged_or_of_another_evaluation_is_computed(flows, tmp_path, fitted):
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


def test_nothing_is_kept_of_a_model_without_a_name(flows, tmp_path):
    class Guess:
        def fit(self, X, y):
            self.label = y[0]
            return self

        def predict(self, X):
            return np.full(len(X), self.label)

    evaluate(flows, model=Guess(), seeds=1, keep=tmp_path)
    assert list(tmp_path.iterdir()) == []
