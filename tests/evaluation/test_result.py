import hashlib
import json
import shutil

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score
from sklearn.neighbors import KNeighborsClassifier

from mer.datasets.samples import read_samples, write_samples
from mer.evaluation.evaluate_folder import evaluate
from mer.evaluation.result import Result
from tests.drawn_flows import write_drawn_flows


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("flows")
    table = write_drawn_flows(folder, people=4, noise=1.5)
    table.loc[table["subject"].isin(["s02", "s03"]), "dataset"] = "other"
    table.loc[0, ["status", "message"]] = "no_face", "no face in <frame> 3"
    table.loc[1, "label"] = ""
    write_samples(table, folder / "samples.csv")
    (folder / "run.json").write_text(json.dumps({"method": "dis", "note": "These clips are drawn."}))
    return folder


@pytest.fixture(scope="module")
def result(folder) -> Result:
    return evaluate(folder, seeds=2)


def test_scores_by_database_are_of_the_same_predictions(result):
    databases = result.scores["databases"]
    assert list(databases) == ["other", "videos"]
    assert databases["other"]["n"] + databases["videos"]["n"] == result.scores["n"] == 23
    n = result.scores["n"]
    weighted = sum(s["accuracy"] * s["n"] for s in databases.values()) / n
    assert weighted == pytest.approx(result.scores["accuracy"])
    assert set(databases["other"]) <= set(result.scores)


def test_weighted_f1_weights_classes_by_their_number_of_clips(result):
    table = result.predictions
    expected = f1_score(table["label"], table["prediction"], labels=result.classes, average="weighted", zero_division=0)
    assert result.scores["weighted_f1"] == pytest.approx(expected)


def test_the_most_frequent_class_is_scored_as_a_baseline(result):
    constant = dict(result.scores["constant"])
    assert constant.pop("class") == "disgust"
    assert constant == pytest.approx({"uf1": 2 * 8 / (8 + 23) / 3, "uar": 1 / 3, "accuracy": 8 / 23})


def test_people_are_listed(result):
    people = result.subjects.set_index("subject")
    assert people["clips"].tolist() == [5, 6, 6, 6]
    assert people["failed"].tolist() == [1, 0, 0, 0]


def test_saved_files_hold_the_result(result, tmp_path):
    report = result.save(tmp_path / "out")
    assert report.name == "report.html"
    assert sorted(file.name for file in report.parent.iterdir()) == [
        "confusion.csv", "confusion.png", "people.csv", "predictions.csv", "report.html", "scores.csv", "scores.json",
    ]  # fmt: skip
    table = pd.read_csv(tmp_path / "out/predictions.csv", keep_default_na=False)
    assert (table["prediction"] == result.predictions["prediction"]).all()
    scores = json.loads((tmp_path / "out/scores.json").read_text())
    assert scores["uf1"] == result.scores["uf1"]
    assert scores["uf1_interval"][0] <= scores["uf1"] <= scores["uf1_interval"][1]
    assert scores["failed"][0]["message"] == "no face in <frame> 3"
    assert scores["left_out"] == {"videos: no label": 1}
    confusion = pd.read_csv(tmp_path / "out/confusion.csv", index_col="truth")
    assert confusion.columns.tolist() == [*result.classes, "failed"]
    assert confusion.to_numpy().sum() == 23
    assert confusion["failed"].sum() == 1


def test_scores_are_rows_that_can_be_stacked(result, tmp_path):
    result.save(tmp_path / "out")
    rows = pd.read_csv(tmp_path / "out/scores.csv").set_index("part")
    assert rows.index.tolist() == ["all", "other", "videos"]
    assert rows.loc["all", "uf1"] == pytest.approx(result.scores["uf1"])
    assert rows.loc["other", "uar_low"] == pytest.approx(result.scores["databases"]["other"]["uar_interval"][0])
    for key in ("samples", "protocol", "flows"):
        assert set(rows[f"{key}_sha256"]) == {result.hashes[key][:16]}
    people = pd.read_csv(tmp_path / "out/people.csv")
    assert people["clips"].tolist() == [5, 6, 6, 6]


def test_the_oracle_is_marked_in_every_output(folder, tmp_path):
    class Network(KNeighborsClassifier):
        def fit(self, X, y, watch=None):
            super().fit(X, y)
            if watch:
                watch(self, 1)
            return self

    result = evaluate(folder, model=Network(3), seeds=1, oracle_epoch=True)
    page = result.save(tmp_path / "out")
    what = "ORACLE, NOT A RESULT"
    assert what in str(result)
    assert what in page.read_text()
    assert json.loads((tmp_path / "out/scores.json").read_text())["oracle"]["what"].startswith(what)
    assert "ORACLE, not a result" in (tmp_path / "out/scores.csv").read_text()
    header = (tmp_path / "out/predictions.csv").read_text().splitlines()[0]
    assert "oracle_epoch,oracle_prediction" in header
    assert "oracle_epoch=True" in result.command


def test_chosen_settings_are_saved(folder, tmp_path):
    result = evaluate(folder, grid={"C": [0.5, 2.0]}, seeds=1)
    assert "--grid=classifier__C=0.5,2.0" in result.command
    page = result.save(tmp_path / "out").read_text()
    assert "classifier__C" in page
    assert len(pd.read_csv(tmp_path / "out/chosen.csv")) == 4
    assert sum(json.loads((tmp_path / "out/scores.json").read_text())["chosen"]["classifier__C"].values()) == 4


def test_hashes_are_reproducible_and_change_with_the_data(result, folder, tmp_path):
    assert result.hashes["run"] == hashlib.sha256((folder / "run.json").read_bytes()).hexdigest()
    rows = result.predictions.query("seed == 0")[["dataset", "subject", "clip", "onset", "label"]]
    lines = sorted("\t".join(map(str, row)) for row in rows.to_numpy())
    assert result.hashes["samples"] == hashlib.sha256("\n".join(lines).encode()).hexdigest()
    facial = evaluate(folder, model="majority", component="head")
    assert facial.hashes["samples"] == result.hashes["samples"]
    assert facial.hashes["flows"] != result.hashes["flows"]


def test_the_command_reproduces_the_result(result, folder):
    assert result.command.split()[:2] == ["mer", "evaluate"]
    assert result.command.endswith("--protocol=loso --model=svm-hoof --component=expression --seeds=2")
    own = evaluate(folder, model=KNeighborsClassifier(1), seeds=1)
    assert own.command.startswith("mer.evaluate(")
    assert "KNeighborsClassifier" in own.command


def test_a_result_prints_its_model_protocol_and_scores(result):
    assert str(result).startswith("svm-hoof under loso: UF1 0.")


def test_a_damaged_run_json_is_reported(tmp_path):
    write_drawn_flows(tmp_path, people=2, clips=3)
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(ValueError, match=r"run.json is not JSON"):
        evaluate(tmp_path, model="majority")


def test_nothing_depends_on_the_order_of_the_rows(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "flows")
    table = read_samples(folder)
    first = evaluate(tmp_path / "flows", model="majority").scores
    write_samples(table.sample(frac=1, random_state=0), tmp_path / "flows" / "samples.csv")
    assert evaluate(tmp_path / "flows", model="majority").scores == first


def test_two_spellings_of_a_person_are_one_person(tmp_path):
    table = write_drawn_flows(tmp_path, people=3)
    table["dataset"], table["subject"] = "casme2", table["subject"].str.removeprefix("s0")
    table.loc[table.index[:2], "subject"] = "sub00"
    write_samples(table, tmp_path / "samples.csv")
    result = evaluate(tmp_path, model="majority")
    assert result.scores["n_subjects"] == 3
    assert result.subjects["subject"].tolist() == ["sub00", "sub01", "sub02"]
    assert sorted(set(result.predictions["fold"])) == ["casme2/sub00", "casme2/sub01", "casme2/sub02"]


def test_the_confusion_has_the_truth_by_row(result):
    table = result.predictions.dropna(subset=["prediction"])
    expected = pd.crosstab(table["label"], table["prediction"]).reindex(
        index=result.classes, columns=result.classes, fill_value=0
    )
    np.testing.assert_array_equal(result.confusion, expected)
    assert not np.array_equal(result.confusion, result.confusion.T)
