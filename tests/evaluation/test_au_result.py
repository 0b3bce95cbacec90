import json
import shutil

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score
from typer.testing import CliRunner

from mer.cli.program import app
from mer.datasets.samples import read_samples, write_samples
from mer.evaluation.compare import compare
from mer.evaluation.evaluate_folder import evaluate
from mer.evaluation.protocols.protocol import Protocol, ProtocolError
from tests.drawn_flows import write_drawn_flows

AUS = {"happiness": "6+L12B", "surprise": "1+2", "disgust": "4"}
PROTOCOL = Protocol("units", units=(1, 2, 4, 12, 17), split="dataset")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two databases of three people, whose clips carry action units; one clip failed."""
    folder = tmp_path_factory.mktemp("flows")
    parts = [write_drawn_flows(folder, people=3, dataset=name, seed=i) for i, name in enumerate("ab")]
    table = pd.concat(parts, ignore_index=True)
    table["aus"] = table["label"].map(AUS)
    table.loc[0, "status"] = "no_face"
    write_samples(table, folder / "samples.csv")
    return folder


@pytest.fixture(scope="module")
def result(folder):
    return evaluate(folder, PROTOCOL, seeds=1)


def test_each_unit_is_predicted_by_itself(result):
    table = result.predictions
    assert len(table) == 5 * 36
    assert set(table["fold"]) == {"a", "b"}
    assert set(table["label"]) == {"present", "absent"}
    answered = table[table["prediction"] != ""]
    for unit, rows in answered.groupby("unit"):
        scored = result.scores["units"][str(unit)]
        failed = int((table["unit"] == unit).sum() - len(rows))
        assert failed == 1
        if unit != 12:  # the clip that failed is of happiness
            expected = f1_score(rows["label"], rows["prediction"], pos_label="present", zero_division=0)
            assert scored["f1"] == pytest.approx(expected)
    assert result.scores["units"]["17"] == {"f1": 0, "macro_f1": pytest.approx(70 / 71 / 2), "present": 0}
    assert result.scores["units"]["4"]["f1"] > 0.9
    values = [scored["f1"] for scored in result.scores["units"].values()]
    assert result.scores["f1"] == pytest.approx(np.mean(values))
    assert (result.scores["n"], result.scores["n_failed"], result.scores["n_subjects"]) == (36, 1, 6)
    low, high = result.scores["f1_interval"]
    assert low <= result.scores["f1"] <= high
    assert result.scores["constant"]["f1"] == pytest.approx(np.mean([*[2 * 12 / (12 + 36)] * 4, 0]))
    assert result.confusion.sum() == 5 * 35


def test_files_and_page(result, tmp_path):
    page = result.save(tmp_path).read_text()
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "people.csv", "predictions.csv", "report.html", "scores.csv", "scores.json",
    ]  # fmt: skip
    assert json.loads((tmp_path / "scores.json").read_text())["f1"] == result.scores["f1"]
    rows = pd.read_csv(tmp_path / "scores.csv").set_index("part")
    assert rows.index.tolist() == ["all", "a", "b", "AU 1", "AU 2", "AU 4", "AU 12", "AU 17"]
    assert f"{result.scores['f1']:.3f}" in page
    assert "1 of 36 clips failed" in page
    assert pd.read_csv(tmp_path / "people.csv")["clips"].tolist() == [6] * 6


def test_two_results_of_units_are_compared(folder, result, tmp_path):
    result.save(tmp_path / "good")
    weak = evaluate(folder, PROTOCOL, model="majority", seeds=2)
    weak.save(tmp_path / "weak")
    found = compare(tmp_path / "good", tmp_path / "weak")
    assert found.rows["score"].tolist() == ["f1", "macro_f1"] * 3
    row = found.rows.iloc[0]
    assert row["a"] == pytest.approx(result.scores["f1"])
    assert row["b"] == pytest.approx(weak.scores["f1"])
    assert 0 < row["low"] <= row["difference"] <= row["high"]
    assert str(found).startswith("F1 0.")
    found.save(tmp_path / "c.html")
    with pytest.raises(ValueError, match="one of the results has action units"):
        compare(result, evaluate(folder, model="majority", seeds=1))


def test_the_command_prints_units(folder, tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("units: [4, 12]\nsplit: dataset\n")
    arguments = ["evaluate", str(folder), "--protocol", str(file), "--report", str(tmp_path / "out"), "--seeds", "1"]
    done = CliRunner().invoke(app, arguments, env={"COLUMNS": "120"})
    assert done.exit_code == 1, done.output  # a clip failed
    assert "AU 12" in done.output
    assert "always present" in done.output


def test_a_folder_of_another_database_is_refused(folder, tmp_path):
    with pytest.raises(ProtocolError, match="is not one of the databases"):
        evaluate(folder, "cd6me")


def test_clips_without_readable_units_are_reported_in_all_outputs(folder, tmp_path):
    table = read_samples(folder).groupby(["dataset", "subject"]).head(2).reset_index(drop=True)
    table.loc[1, "aus"] = "?"
    shutil.copytree(folder, tmp_path / "flows")
    write_samples(table, tmp_path / "flows" / "samples.csv")
    result = evaluate(tmp_path / "flows", Protocol("units", units=(4, 12)), model="majority", seeds=1)
    assert result.without_units == {"a": 1}
    assert result.record()["without_units"] == {"a": 1}
    assert result.record()["left_out"] == {}
    assert "12 clips; 1 of them count as having none" in str(result)
    page = result.save(tmp_path / "out").read_text()
    assert "1 clips of a are counted as having no action units" in " ".join(page.split())
    assert "Every clip in the folder is part of the protocol" in page
