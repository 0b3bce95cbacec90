import json

import pytest
from typer.testing import CliRunner

from mer.cli.program import app
from mer.datasets.samples import write_samples
from mer.models import MODELS
from tests.drawn_flows import write_drawn_flows


def run(*arguments: object):
    return CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "200"})


@pytest.fixture
def flows(tmp_path):
    write_drawn_flows(tmp_path / "flows", people=3)
    return tmp_path / "flows"


def test_scores_are_printed_and_the_report_is_written(flows, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = run("evaluate", flows)
    assert done.exit_code == 0, done.output
    assert "svm-hoof under loso" in done.output
    assert "always disgust" in done.output
    folder = tmp_path / "results/loso-svm-hoof-expression"
    assert (folder / "report.html").is_file()
    uf1 = json.loads((folder / "scores.json").read_text())["uf1"]
    assert f"{uf1:.3f}" in done.output
    assert "\x1b[" not in done.output


def test_folds_of_a_killed_run_are_removed_with_the_next_report(flows, tmp_path):
    (tmp_path / "out" / ".folds").mkdir(parents=True)
    (tmp_path / "out" / ".folds" / "old.npz").touch()
    (tmp_path / "other" / ".folds").mkdir(parents=True)
    assert run("evaluate", flows, "--report", tmp_path / "out", "--model", "majority").exit_code == 0
    assert not (tmp_path / "out" / ".folds").exists()
    assert (tmp_path / "other" / ".folds").exists()


def test_failed_clips_are_listed_and_exit_with_1(flows, tmp_path):
    table = write_drawn_flows(flows, people=3)
    table.loc[0, ["status", "message"]] = "no_face", "too dark"
    write_samples(table, flows / "samples.csv")
    done = run("evaluate", flows, "--report", tmp_path / "out", "--model", "majority", "--seeds", 1)
    assert done.exit_code == 1
    assert "videos/s00/c00: no_face: too dark" in done.output
    assert (tmp_path / "out/report.html").is_file()


def test_hyperparameters_and_models_are_chosen_per_fold(flows, tmp_path):
    done = run("evaluate", flows, "--report", tmp_path / "a", "--grid", "C=0.5,2", "--seeds", 1)
    assert done.exit_code == 0, done.output
    assert "classifier__C, chosen on training people" in done.output
    done = run("evaluate", flows, "--report", tmp_path / "b", "--model", "majority,svm-hoof", "--seeds", 1)
    assert "model, chosen on training people: svm-hoof in 3 of 3 folds" in done.output
    assert (tmp_path / "b/chosen.csv").is_file()
    assert "expected a parameter and its values" in str(run("evaluate", flows, "--grid", "C").exception)


def test_wrong_names_raise_one_line(flows):
    for option, wrong, known in (
        ("--model", "svm", "svm-hoof"),
        ("--protocol", "megc2020", "megc2019"),
        ("--component", "eyes", "expression"),
    ):
        done = run("evaluate", flows, option, wrong)
        assert isinstance(done.exception, ValueError)
        assert repr(wrong) in str(done.exception)
        assert known in str(done.exception)


def test_help_names_every_model_and_an_example():
    text = " ".join(run("evaluate", "--help").output.replace("│", " ").split())
    assert all(name in text for name in MODELS)
    assert "mer evaluate flows/ --protocol loso --model svm-hoof" in text


def test_protocols_are_listed_and_shown(tmp_path):
    listed = run("protocols").output
    assert "loso " in listed
    assert "megc2019 " in listed
    shown = run("protocols", "megc2019").output
    assert "casme2: 145 (negative 88, positive 32, surprise 25), of 24 people" in shown
    assert "all: 442" in shown
    assert "combined_3class_gt.csv" in shown
    (tmp_path / "mine.yaml").write_text("classes: [a, b]\ntitle: Mine")
    assert "mine: Mine" in run("protocols", tmp_path / "mine.yaml").output
