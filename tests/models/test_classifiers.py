"""Properties of all classifiers, on small data and with small networks."""

from __future__ import annotations

from functools import partial

import cv2
import numpy as np
import pytest
from skimage.filters import gaussian
from sklearn.base import clone

from mer.evaluation.evaluate_folder import evaluate
from mer.models import MODELS
from tests.drawn_flows import MOTION, drawn_field, write_drawn_flows

SMALL = {
    "off-apexnet": {"epochs": 10, "learning_rate": 1e-3},
    "ststnet": {"epochs": 60, "learning_rate": 5e-3},
    "sssnet": {"epochs": 8, "learning_rate": 1e-3, "batch_size": 16},
    "rcn-a": {"width": 12, "epochs": 25, "learning_rate": 0.02, "batch_size": 16},
    "dual-inception": {"epochs": 5, "learning_rate": 1e-3, "batch_size": 12},
    "htnet": {"widths": (24, 36, 48), "blocks": (1, 1, 1), "epochs": 20, "learning_rate": 2e-3},
    "mmnet": {"size": 32, "widths": (8, 8, 8, 16), "epochs": 15, "learning_rate": 1e-2, "batch_size": 10},
    "symnet": {"epochs": 30},
    "gbm": {"iterations": 15},
}
ON_FLOW = ["svm-linear", "svm-hoof", "svm-mdmo", "svm-biwoof", "logistic", "gbm", "ensemble"]
ON_FLOW += ["off-apexnet", "ststnet", "sssnet", "rcn-a", "dual-inception", "htnet", "mmnet", "symnet"]
NETWORKS = [name for name in ON_FLOW if name in SMALL and name != "gbm"]
ON_CLIPS = {
    "svm-lbptop": {"frames": 10, "blocks": 3},
    "svm-3dhog": {"frames": 10},
    "r3d": {"frames": 10, "width": 8, "epochs": 12, "learning_rate": 5e-3},
}


def make(name: str, **settings):
    model = partial(MODELS[name], **(SMALL | ON_CLIPS).get(name, {}) | settings)
    return model(random_state=0) if name in NETWORKS or name in ("gbm", "r3d") else model()


@pytest.fixture(scope="module")
def drawn() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    y = np.array([list(MOTION)[i % 3] for i in range(60)])
    return np.stack([drawn_field(label, rng, noise=0.1) for label in y]), y


@pytest.fixture(scope="module")
def clips() -> tuple[np.ndarray, np.ndarray]:
    """Drawn skin with the motion of each class: gray `(n, 10, 32, 32)`."""
    rng = np.random.default_rng(0)
    y = np.array([list(MOTION)[i % 3] for i in range(36)])
    grid = np.stack(np.meshgrid(np.arange(32), np.arange(32)), -1).astype(np.float32)
    out = []
    for label in y:
        skin = gaussian(rng.random((32, 32)), 1.0)
        skin = (255 * (skin - skin.min()) / np.ptp(skin)).astype(np.float32)
        field = 2.5 * drawn_field(label, rng, size=32, noise=0)
        at = [grid - field * share for share in np.linspace(0, 1, 10, dtype=np.float32)]
        frames = np.stack([cv2.remap(skin, *np.moveaxis(g, -1, 0).copy(), cv2.INTER_LINEAR) for g in at])
        out.append(frames + rng.normal(0, 1, frames.shape))
    return np.stack(out), y


@pytest.mark.parametrize("name", ON_FLOW)
def test_it_learns_drawn_flow_and_its_probabilities_sum_to_one(name, drawn):
    fields, y = drawn
    model = make(name).fit(fields[:42], y[:42])
    assert model.score(fields[42:], y[42:]) > 0.7
    probability = model.predict_proba(fields[42:].reshape(18, -1))
    assert probability.shape == (18, 3)
    np.testing.assert_allclose(probability.sum(1), 1, rtol=1e-5)
    np.testing.assert_array_equal(model.classes_[probability.argmax(1)], model.predict(fields[42:]))


# The other networks stretch their input themselves, so that the test above covers them.
@pytest.mark.parametrize("name", [name for name in ON_FLOW if name not in NETWORKS or name in ("ststnet", "symnet")])
def test_it_learns_flow_that_was_stretched_to_images(name, drawn):
    """As in published sets, each channel of each clip is stretched to 0..255, so that the zero is lost."""
    fields, y = drawn
    low, high = fields.min((1, 2), keepdims=True), fields.max((1, 2), keepdims=True)
    images = np.round((fields - low) / (high - low) * 255)
    assert make(name).fit(images[:42], y[:42]).score(images[42:], y[42:]) > 0.7


@pytest.mark.parametrize("name", ON_CLIPS)
def test_it_learns_drawn_clips(name, clips):
    X, y = clips
    model = make(name).fit(X[:27], y[:27])
    assert model.score(X[27:], y[27:]) > 0.6
    rows = X[27:].reshape(9, -1)
    np.testing.assert_allclose(model.predict_proba(rows).sum(1), 1, rtol=1e-5)
    np.testing.assert_array_equal(model.predict(rows), model.predict(X[27:]))


@pytest.mark.parametrize("name", ON_CLIPS)
def test_models_of_clips_refuse_flow(name, drawn):
    fields, y = drawn
    with pytest.raises(ValueError, match="expected clips of 10"):
        make(name).fit(fields.reshape(60, -1), y)


def test_mmnet_takes_onset_and_apex_as_published(clips):
    X, y = clips
    pairs = np.repeat(X[:, [0, -1], :, :, None], 3, axis=-1)
    model = make("mmnet", inputs="frames", epochs=2).fit(pairs, y)
    assert model.predict(pairs.reshape(len(y), -1)).shape == y.shape


@pytest.mark.parametrize("name", ["gbm", "ststnet", "symnet", "htnet"])
def test_the_same_seed_gives_the_same_predictions(name, drawn):
    fields, y = drawn
    few = {} if name == "gbm" else {"epochs": 3}
    first = make(name, **few).fit(fields[:30], y[:30])
    np.testing.assert_array_equal(
        first.predict_proba(fields), clone(first).fit(fields[:30], y[:30]).predict_proba(fields)
    )
    other = clone(first).set_params(classifier__random_state=1).fit(fields[:30], y[:30])
    assert not np.array_equal(first.predict_proba(fields), other.predict_proba(fields))


@pytest.mark.parametrize("name", ON_FLOW)
def test_difficult_folds(name, drawn):
    """Two of three classes; few clips, one with zero flow; a single clip per class; flow that is not finite."""
    fields, y = drawn
    few = {"epochs": 1} if name in NETWORKS else {}
    two = y != "disgust"
    model = make(name, **few).fit(fields[two][:9], y[two][:9])
    assert list(model.classes_) == ["happiness", "surprise"]
    assert model.predict_proba(fields[:2]).shape == (2, 2)
    still = np.concatenate([np.zeros_like(fields[:1]), fields[:5]])
    assert np.isfinite(make(name, **few).fit(still, y[:6]).predict_proba(still)).all()
    assert np.isfinite(make(name, **few).fit(fields[:3], y[:3]).predict_proba(fields[:1])).all()  # one of each class
    broken = fields[:6].copy()
    broken[0, 0, 0, 0] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        make(name, **few).fit(broken, y[:6])


@pytest.mark.parametrize(("name", "option"), [
    ("logistic", {"features": "wavelet"}), ("gbm", {"regions": "left"}), ("mmnet", {"inputs": "video"}),
])  # fmt: skip
def test_options_that_do_not_exist_are_refused(name, option):
    with pytest.raises(ValueError, match="expected"):
        MODELS[name](**option)


@pytest.mark.parametrize("option", [{"features": "pca"}, {"regions": "face"}, {"windows": "token"}])
def test_other_options_learn_too(option, drawn):
    fields, y = drawn
    name = {"features": "logistic", "regions": "gbm", "windows": "htnet"}[next(iter(option))]
    assert make(name, **option).fit(fields[:42], y[:42]).score(fields[42:], y[42:]) > 0.7


@pytest.mark.slow
def test_scores_do_not_depend_on_the_number_of_workers(tmp_path):
    write_drawn_flows(tmp_path, people=3, clips=3)
    for name in ("ensemble", "symnet", "ststnet"):
        few = MODELS[name] if name == "ensemble" else partial(MODELS[name], epochs=2)
        one, two = (evaluate(tmp_path, model=few, seeds=2, workers=n).predictions for n in (1, 2))
        assert one.equals(two), name
