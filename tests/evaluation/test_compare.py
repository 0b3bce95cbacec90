import json

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from mer.cli.program import app
from mer.datasets.samples import write_samples
from mer.evaluation.compare import compare
from mer.evaluation.evaluate_folder import evaluate
from mer.evaluation.metrics import uf1
from mer.evaluation.protocols.protocol import Protocol
from tests.drawn_flows import write_drawn_flows
from tests.report.test_page import Page


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two databases with ten people in all; noisy, so that no model is perfect."""
    folder = tmp_path_factory.mktemp("flows")
    parts = [write_drawn_flows(folder, people=5, dataset=name, seed=i, noise=3.0) for i, name in enumerate("ab")]
    write_samples(pd.concat(parts), folder / "samples.csv")
    return folder


@pytest.fixture(scope="module")
def saved(folder, tmp_path_factory):
    """Folders of results: a good one, a weak one."""
    out = tmp_path_factory.mktemp("results")
    evaluate(folder, seeds=2).save(out / "good")
    evaluate(folder, model="majority", seeds=3).save(out / "weak")
    return out


def test_a_clear_difference_is_found(saved):
    found = compare(saved / "good", saved / "weak")
    assert found.rows["part"].tolist() == ["all"] * 3 + ["a"] * 3 + ["b"] * 3
    row = found.rows.iloc[0]
    good, weak = (json.loads((saved / name / "scores.json").read_text()) for name in ("good", "weak"))
    assert row["a"] == pytest.approx(good["uf1"])
    assert row["b"] == pytest.approx(weak["uf1"])
    assert row["low"] <= row["difference"] <= row["high"]
    assert row["low"] > 0
    assert row["p"] < 0.01
    assert "A is better" in str(found)
    other = compare(saved / "weak", saved / "good").rows.iloc[0]
    assert (other["difference"], other["low"], other["high"]) == pytest.approx(
        (-row["difference"], -row["high"], -row["low"])
    )
    assert "B is better" in str(compare(saved / "weak", saved / "good"))


def test_three_people_are_too_few_to_tell(tmp_path):
    """One reads all three better, so that every resample says so; by chance, one exchange in four does."""
    table = write_drawn_flows(tmp_path, people=3, dataset="few", seed=4, noise=3.0)
    write_samples(table, tmp_path / "samples.csv")
    found = compare(evaluate(tmp_path, seeds=1), evaluate(tmp_path, model="majority", seeds=1))
    assert found.rows.loc[0, "low"] > 0
    assert found.rows.loc[0, "p"] >= 0.24
    assert "neither is shown to be better" in str(found)


def test_a_result_does_not_differ_from_itself(saved, folder):
    found = compare(saved / "good", evaluate(folder, seeds=1))  # a folder and a result; other numbers of seeds
    assert (found.rows["difference"] == 0).all()
    assert (found.rows[["low", "high"]] == 0).all(axis=None)
    assert (found.rows["p"] == 1).all()
    assert "neither is shown to be better" in str(found)


def test_two_guessing_classifiers_rarely_differ(folder, monkeypatch):
    """The p-value of two classifiers that guess is uniform: below .1 about once in ten."""
    from mer.evaluation.result import Result

    monkeypatch.setattr("mer.evaluation.compare.PERMUTATIONS", 500)
    monkeypatch.setattr("mer.evaluation.compare.RESAMPLES", 10)
    base = evaluate(folder, model="majority", seeds=1)
    random = np.random.default_rng(0)

    def guesses() -> Result:
        answers = random.choice(base.classes, len(base.predictions))
        table = base.predictions.assign(prediction=answers)
        return Result(table, base.classes, base.protocol, base.settings, base.failed, base.left_out, hashes=base.hashes)

    p = [compare(guesses(), guesses()).rows.loc[0, "p"] for _ in range(40)]
    assert 0 <= np.mean(np.array(p) < 0.1) < 0.25
    assert 0.3 < np.mean(p) < 0.7


def test_the_pairing_makes_the_interval_narrower(folder, saved):
    """Two results that err on the same people differ surely, though each by itself is uncertain."""
    good = evaluate(folder, seeds=1)
    table = good.predictions.copy()
    wrong = table.index[(table["prediction"] == table["label"]) & (table["label"] == "disgust")][::6]
    table.loc[wrong, "prediction"] = "surprise"
    worse = type(good)(
        table, good.classes, good.protocol, good.settings, good.failed, good.left_out, hashes=good.hashes
    )
    row = compare(good, worse).rows.iloc[0]
    alone = [np.ptp(each.scores["uf1_interval"]) for each in (good, worse)]
    assert row["high"] - row["low"] < 0.7 * np.hypot(*alone)
    assert row["difference"] == pytest.approx(uf1(good.counts()[:, 0].sum(0)) - uf1(worse.counts()[:, 0].sum(0)))


def test_the_p_value_counts_the_observed_exchange(folder, monkeypatch):
    """If none of the random exchanges is as extreme as the observation, p is `1 / (1 + permutations)`, never 0."""
    monkeypatch.setattr("mer.evaluation.compare.PERMUTATIONS", 4)
    p = compare(evaluate(folder, seeds=1), evaluate(folder, model="majority", seeds=1)).rows.loc[0, "p"]
    assert p == pytest.approx(1 / 5)


def test_results_of_earlier_releases_repeat_a_deterministic_run_for_each_seed(folder, saved, tmp_path):
    new = evaluate(folder, seeds=3)
    assert set(new.predictions["seed"]) == {0}
    old = tmp_path / "old"
    new.save(old)
    pd.concat([new.predictions.assign(seed=seed) for seed in range(3)]).to_csv(old / "predictions.csv", index=False)
    assert (compare(old, new).rows["difference"] == 0).all()
    expected = compare(new, saved / "weak").rows
    pd.testing.assert_frame_equal(compare(old, saved / "weak").rows, expected)


# --- results that cannot be compared ---------------------------------------------------------------------------------


def test_different_clips_classes_labels_and_folds_are_refused(folder, saved, tmp_path):
    table = pd.read_csv(folder / "samples.csv")
    part = tmp_path / "part"
    part.mkdir()
    (part / "a").symlink_to(folder / "a")
    (part / "b").symlink_to(folder / "b")
    table.iloc[1:].to_csv(part / "samples.csv", index=False)
    with pytest.raises(ValueError, match="the clips differ: 1 clips are only in A, such as a/s00/c00; evaluate both"):
        compare(saved / "good", evaluate(part, model="majority", seeds=1))
    table.assign(label=table["label"].replace("disgust", "fear")).to_csv(part / "samples.csv", index=False)
    with pytest.raises(ValueError, match=r"the classes differ: disgust, happiness, surprise in A, fear"):
        compare(saved / "good", evaluate(part, model="majority", seeds=1))
    table.loc[2, "label"] = "happiness"
    table.to_csv(part / "samples.csv", index=False)
    with pytest.raises(ValueError, match=r"classes of the clips differ for 1 clips, such as a/s00/c02: 'disgust' in A"):
        compare(saved / "good", evaluate(part, model="majority", seeds=1))
    five = Protocol("five", split={"folds": 5})
    with pytest.raises(ValueError, match=r"the folds differ for 60 clips, such as a/s00/c00: 'a/s00' in A, 'fold 0"):
        compare(saved / "good", evaluate(folder, protocol=five, model="majority", seeds=1))


def test_different_training_clips_are_refused(folder, tmp_path, saved):
    way = Protocol("way", split={"train": ["a"], "test": ["b"]})
    table = pd.read_csv(folder / "samples.csv")
    for name in "ab":
        (tmp_path / name).symlink_to(folder / name)
    table.iloc[1:].to_csv(tmp_path / "samples.csv", index=False)
    with pytest.raises(ValueError, match="the training clips differ"):
        compare(evaluate(folder, way, "majority", seeds=1), evaluate(tmp_path, way, "majority", seeds=1))


def test_folders_without_a_result(saved, tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no result"):
        compare(saved / "good", tmp_path)
    (tmp_path / "scores.json").write_text("{}")
    (tmp_path / "predictions.csv").write_text("a,b\n")
    with pytest.raises(ValueError, match="damaged result"):
        compare(tmp_path, saved / "good")


def test_one_person_has_no_interval(tmp_path):
    way = Protocol("way", split={"train": ["a"], "test": ["b"]})
    parts = [write_drawn_flows(tmp_path, people=people, dataset=name) for name, people in (("a", 3), ("b", 1))]
    write_samples(pd.concat(parts), tmp_path / "samples.csv")
    found = compare(*(evaluate(tmp_path, way, model, seeds=1) for model in ("svm-hoof", "majority")))
    assert found.rows["p"].isna().all()
    np.testing.assert_allclose(found.rows["difference"], found.rows["a"] - found.rows["b"])
    assert found.rows["difference"].abs().max() > 0
    assert "one person is too few" in str(found)
    found.save(tmp_path / "c.html")
    found.save(tmp_path / "c.json")
    assert json.loads((tmp_path / "c.json").read_text())["rows"][0]["p"] is None


# --- the command -----------------------------------------------------------------------------------------------------


def test_the_command_prints_and_writes(saved, tmp_path):
    arguments = ["compare", str(saved / "good"), str(saved / "weak")]
    done = CliRunner().invoke(app, [*arguments, "--out", str(tmp_path / "c.csv")])
    assert done.exit_code == 0, done.output
    assert "A is better on these people" in done.output
    rows = pd.read_csv(tmp_path / "c.csv")
    assert rows["score"].tolist()[:3] == ["uf1", "uar", "accuracy"]
    assert f"{rows['low'][0]:+.3f} to {rows['high'][0]:+.3f}" in done.output
    CliRunner().invoke(app, [*arguments, "--out", str(tmp_path / "c.json")])
    record = json.loads((tmp_path / "c.json").read_text())
    assert len(record["a"]["sha256"]["flows"]) == 64
    CliRunner().invoke(app, [*arguments, "--out", str(tmp_path / "c.html")])
    page = Page((tmp_path / "c.html").read_text())
    assert page.open == []
    assert page.links == []
    assert str(compare(saved / "good", saved / "weak")) in page.text
    assert record["b"]["sha256"]["flows"] in page.text
    assert isinstance(CliRunner().invoke(app, [*arguments, "--out", "c.txt"]).exception, ValueError)
