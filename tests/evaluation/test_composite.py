"""The composite of MEGC2019 from a flow folder to its scores: 442 clips of 68 people."""

import hashlib
import json

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from typer.testing import CliRunner

from mer.cli.program import app
from mer.datasets.identifiers import subject_name
from mer.datasets.samples import conform, read_samples, write_samples
from mer.evaluation.evaluate_folder import evaluate
from mer.evaluation.protocols.protocol import ProtocolError
from mer.flow import Flow, save_flow
from tests.published_set import composite_rows


@pytest.fixture(scope="module")
def flows(tmp_path_factory):
    """Fields of 4 x 4 pixels whose first value is the class; not to be written to."""
    folder = tmp_path_factory.mktemp("composite")
    rows = []
    for clip in composite_rows().to_dict("records"):
        subject = subject_name(clip["dataset"], clip["sub"])
        path = f"{clip['dataset']}/{subject}/{clip['filename_o']}_0.npz"
        field = np.full((4, 4, 2), clip["label"], np.float32)
        save_flow(folder / path, Flow.split(field, np.zeros_like(field)))
        rows.append(
            {"dataset": clip["dataset"], "subject": subject, "clip": clip["filename_o"], "onset": 0, "path": path}
            | {"label": str(clip["label"]), "status": "ok"}
        )
    write_samples(conform(pd.DataFrame(rows)), folder / "samples.csv")
    return folder


class Reader(ClassifierMixin, BaseEstimator):
    """Reads the class from the field."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.array(["negative", "positive", "surprise"])[X[:, 0].astype(int)]


class Half(Reader):
    """Reads the class of every other clip, and answers surprise for the rest."""

    def predict(self, X):
        return np.where(np.arange(len(X)) % 2, "surprise", super().predict(X))


def test_always_negative_scores_what_the_counts_say(flows):
    result = evaluate(flows, "megc2019", "majority", seeds=1)
    assert set(result.predictions["prediction"]) == {"negative"}
    assert result.scores["uf1"] == pytest.approx(0.2408, abs=5e-5)
    assert result.scores["uar"] == pytest.approx(1 / 3)
    assert result.scores["accuracy"] == pytest.approx(250 / 442)
    assert {name: scored["n"] for name, scored in result.scores["databases"].items()} == {
        "casme2": 145, "samm": 133, "smic": 164,
    }  # fmt: skip
    assert result.predictions["fold"].nunique() == 68


def test_a_perfect_answer_scores_one(flows):
    scores = evaluate(flows, "megc2019", Reader(), seeds=1).scores
    assert (scores["uf1"], scores["uar"], scores["accuracy"]) == (1, 1, 1)


def test_scores_do_not_change_when_folds_are_permuted(flows):
    result = evaluate(flows, "megc2019", Half(), seeds=1)
    order = np.random.default_rng(0).permutation(result.predictions["fold"].unique())
    table = pd.concat([result.predictions[result.predictions["fold"] == fold] for fold in order], ignore_index=True)
    permuted = type(result)(
        table, result.classes, result.protocol, result.settings, result.failed, result.left_out, hashes=result.hashes
    )
    for name in ("uf1", "uar", "accuracy", "classes", "weighted_f1"):
        assert permuted.scores[name] == result.scores[name]
    right = result.predictions["label"] == result.predictions["prediction"]
    each = right.groupby(result.predictions["fold"]).mean()
    assert np.mean(each) != pytest.approx(result.scores["accuracy"])  # a mean over folds is another number


def test_a_clip_more_or_less_is_refused_before_anything_is_read(flows, tmp_path):
    table = read_samples(flows)
    write_samples(table.iloc[1:], tmp_path / "samples.csv")
    with pytest.raises(ProtocolError, match=r"441 clips, the protocol has 442: casme2 has \d+ \w+ clips, not \d+"):
        evaluate(tmp_path, "megc2019")
    more = table.iloc[[-1]].assign(clip="another")
    write_samples(pd.concat([table, more]), tmp_path / "samples.csv")
    with pytest.raises(ProtocolError, match=r"443 clips, the protocol has 442: smic has \d+ \w+ clips, not \d+"):
        evaluate(tmp_path, "megc2019")


def test_the_organizers_list_by_the_command(flows, tmp_path):
    """With a list of our own in the place of the organizers', which is not ours to ship."""
    listed = tmp_path / "list.csv"
    rows = composite_rows()
    rows["sub"] = rows["sub"].str.lstrip("0")  # as the list writes SAMM's people
    rows[["dataset", "sub", "filename_o", "label"]].to_csv(listed, header=False, index=False)
    protocol = tmp_path / "mine.yaml"
    text = (f"classes: [negative, positive, surprise]\nlist_sha256: {hashlib.sha256(listed.read_bytes()).hexdigest()}\n"
            'labels: {"*": {"0": negative, "1": positive, "2": surprise}}\n')  # fmt: skip
    protocol.write_text(text)
    arguments = ["evaluate", str(flows), "--protocol", str(protocol), "--model", "majority", "--seeds", "1"]
    arguments += ["--report", str(tmp_path / "out"), "--megc-csv", str(listed)]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    record = json.loads((tmp_path / "out/scores.json").read_text())
    assert record["n"] == 442
    assert "--megc-csv=" in record["command"]
    assert record["sha256"]["list"] == hashlib.sha256(listed.read_bytes()).hexdigest()
    listed.write_text(listed.read_text().replace(",0\n", ",1\n", 1))
    assert "not the organizers' list" in str(CliRunner().invoke(app, arguments).exception)
