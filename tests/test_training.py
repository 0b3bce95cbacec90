import numpy as np
import pytest
from typer.testing import CliRunner

from mer.cli import app
from mer.flow import load_component
from mer.models.saved import load_model
from mer.training import train_classifier
from tests.drawn_flows import write_drawn_flows


@pytest.fixture(scope="module")
def flows(tmp_path_factory):
    folder = tmp_path_factory.mktemp("flows")
    return folder, write_drawn_flows(folder, people=4, clips=6)


def test_a_fitted_model_is_saved_with_its_score(flows, tmp_path):
    folder, table = flows
    out = tmp_path / "model.npz"
    done = CliRunner().invoke(app, ["train", "classifier", str(folder), "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert f"model: {out}" in done.output
    model, record = load_model(out)
    assert record["protocol"] == "loso"
    assert record["pretrain"] == "none"
    assert record["clips"] == len(table)
    assert 0 < record["scores"]["uf1"] <= 1
    X = np.stack([load_component(folder / path).ravel() / 12 for path in table["path"]])
    assert (model.predict(X) == table["label"]).mean() > 0.9


def test_without_any_data(tmp_path):
    out = tmp_path / "model.npz"
    command = ["train", "classifier", "--model", "zero-shot", "--pretrain", "synth", "--face-model", "drawn"]
    done = CliRunner().invoke(app, [*command, "--people", "12", "--networks", "1", "--out", str(out)])
    assert done.exit_code == 0, done.output
    model, record = load_model(out)
    assert record["pretrain"]["faces"] == ["drawn"]
    assert record["pretrain"]["clips"] == 144
    assert "scores" not in record
    assert model.predict_proba(np.zeros((2, 28 * 28 * 2))).shape == (2, 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": "svm-hoof"}, "needs a flow folder"),
        ({"model": "svm-hoof", "pretrain": "synth"}, "learns from labeled clips alone"),
        ({"model": "none"}, "no model 'none'"),
        ({"model": "zero-shot", "pretrain": "photographs"}, "there is synth"),
    ],
)
def test_what_cannot_be(options, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        train_classifier(tmp_path / "model.npz", **options)
    assert not list(tmp_path.iterdir())


def test_a_model_is_an_npz(tmp_path):
    with pytest.raises(ValueError, match=r"call it model\.npz"):
        train_classifier(tmp_path / "model.pkl", "zero-shot")
