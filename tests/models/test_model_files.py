import json
import zipfile
from functools import partial

import numpy as np
import pytest

from mer.models import MODELS, new_model
from mer.models.model_files import load_model, save_model
from tests.drawn_flows import MOTION, drawn_field


@pytest.fixture(scope="module")
def clips():
    rng = np.random.default_rng(0)
    y = np.repeat(["negative", "positive", "surprise"], 8)
    X = np.stack([drawn_field(list(MOTION)[i // 8], rng, size=28) for i in range(24)])
    return X.reshape(24, -1), y


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("majority", {}),
        ("svm-linear", {}),
        ("svm-hoof", {}),
        ("logistic", {}),
        ("ststnet", {"epochs": 2}),
        ("zero-shot", {}),
        ("zero-shot-strict", {}),
        ("svm-hoof-synth", {}),
    ],
)
def test_a_loaded_model_predicts_as_before(name, options, clips, tmp_path):
    X, y = clips
    fitted = new_model(partial(MODELS[name], **options)).fit(X, y)
    save_model(tmp_path / "model.npz", name, fitted, {"protocol": "loso"})
    loaded, record = load_model(tmp_path / "model.npz")
    assert record == {"model": name, "protocol": "loso"}
    assert loaded.predict(X).tolist() == fitted.predict(X).tolist()
    method = "predict_proba" if hasattr(fitted, "predict_proba") else "decision_function"
    np.testing.assert_allclose(getattr(loaded, method)(X), getattr(fitted, method)(X), rtol=1e-6, atol=1e-8)
    assert (loaded.classes_ == fitted.classes_).all()


def test_models_with_other_than_numeric_attributes_are_refused(clips, tmp_path):
    X, y = clips
    with pytest.raises(ValueError, match="gbm cannot be saved"):
        save_model(tmp_path / "model.npz", "gbm", new_model("gbm").fit(X, y))
    assert not (tmp_path / "model.npz").exists()


def test_other_files_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="no model at"):
        load_model(tmp_path / "none.npz")
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    with pytest.raises(ValueError, match="not a model that mer saved"):
        load_model(tmp_path / "other.npz")
    (tmp_path / "text.npz").write_text("no model")
    with pytest.raises(ValueError, match="not a model that mer saved"):
        load_model(tmp_path / "text.npz")


def test_nothing_in_a_file_is_unpickled(tmp_path):
    np.savez(tmp_path / "evil.npz", head=np.array([print], dtype=object))
    with pytest.raises(ValueError, match="not a model that mer saved"):
        load_model(tmp_path / "evil.npz")


def test_a_file_that_unpacks_to_too_much_is_refused_before_it_is_unpacked(clips, tmp_path, monkeypatch):
    X, y = clips
    save_model(tmp_path / "model.npz", "svm-hoof", new_model("svm-hoof").fit(X, y))
    with zipfile.ZipFile(tmp_path / "model.npz", "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros.npy", bytes(9 << 20))
    monkeypatch.setattr("mer.models.model_files.MAX_UNPACKED_BYTES", 8 << 20)
    assert (tmp_path / "model.npz").stat().st_size < 1 << 20
    monkeypatch.setattr("numpy.lib.format.read_array", lambda *_, **__: pytest.fail("it was unpacked"))
    with pytest.raises(ValueError, match=r"not a model that mer saved .*unpack to more than 8 MB"):
        load_model(tmp_path / "model.npz")


def test_a_model_that_is_too_large_to_load_is_not_saved(clips, tmp_path, monkeypatch):
    X, y = clips
    monkeypatch.setattr("mer.models.model_files.MAX_UNPACKED_BYTES", 1000)
    with pytest.raises(ValueError, match="svm-hoof cannot be saved"):
        save_model(tmp_path / "model.npz", "svm-hoof", new_model("svm-hoof").fit(X, y))
    assert not (tmp_path / "model.npz").exists()


def test_files_of_earlier_versions_name_the_weight_of_the_prior_say(clips, tmp_path):
    X, y = clips
    save_model(tmp_path / "model.npz", "svm-hoof-synth", new_model("svm-hoof-synth").fit(X, y))
    with np.load(tmp_path / "model.npz") as archive:
        fitted = json.loads(str(archive["head"]))["steps"]["classifier"]
    assert "say_" in fitted
    assert "prior_weight_" not in fitted
    assert load_model(tmp_path / "model.npz")[0][-1].prior_weight_ == fitted["say_"]
