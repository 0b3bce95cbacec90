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
def test_a_saved_model_answers_as_before(name, options, clips, tmp_path):
    X, y = clips
    fitted = new_model(partial(MODELS[name], **options)).fit(X, y)
    save_model(tmp_path / "model.npz", name, fitted, {"protocol": "loso"})
    loaded, record = load_model(tmp_path / "model.npz")
    assert record == {"model": name, "protocol": "loso"}
    assert loaded.predict(X).tolist() == fitted.predict(X).tolist()
    method = "predict_proba" if hasattr(fitted, "predict_proba") else "decision_function"
    np.testing.assert_allclose(getattr(loaded, method)(X), getattr(fitted, method)(X), rtol=1e-6, atol=1e-8)
    assert (loaded.classes_ == fitted.classes_).all()


def test_what_is_not_numbers_is_refused(clips, tmp_path):
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
