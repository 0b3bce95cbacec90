from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from sklearn.base import clone
from sklearn.utils.estimator_checks import estimator_checks_generator

from mer.models import TorchClassifier
from mer.models.torch_classifier import memory_layout
from mer.utils.torch_setup import one_thread


def line(channels: int, size: int, n_classes: int) -> torch.nn.Module:
    return torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.Dropout(0.1), torch.nn.Linear(channels * size * size, n_classes)
    )


def classifier(**settings) -> TorchClassifier:
    return TorchClassifier(line, **{"channels": 1, "epochs": 30, "learning_rate": 0.05, "random_state": 0} | settings)


@pytest.fixture
def drawn() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    y = np.repeat(["b", "a", "c"], 20)
    centers = {"a": 0, "b": 2, "c": -2}
    return rng.normal(0, 1, (60, 9)) + np.array([centers[name] for name in y])[:, None], y


def test_it_learns_and_its_loss_falls(drawn):
    X, y = drawn
    model = classifier().fit(X, y)
    assert model.score(X, y) > 0.9
    assert model.losses_[-1] < 0.5 * model.losses_[0]
    probabilities = model.predict_proba(X)
    np.testing.assert_allclose(probabilities.sum(1), 1)
    assert model.classes_.tolist() == ["a", "b", "c"]
    np.testing.assert_array_equal(model.predict(X), model.classes_[probabilities.argmax(1)])


def test_the_seed_determines_the_network_and_the_global_state_is_kept(drawn):
    X, y = drawn
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first = classifier().fit(X, y)
    assert torch.equal(torch.rand(3), expected)
    second = clone(first).fit(X, y)
    np.testing.assert_array_equal(first.predict_proba(X), second.predict_proba(X))
    other = classifier(random_state=1).fit(X, y)
    assert not np.array_equal(first.predict_proba(X), other.predict_proba(X))


def test_the_callback_does_not_affect_training(drawn):
    X, y = drawn
    seen = []

    def watch(model: TorchClassifier, epoch: int) -> None:
        torch.rand(3)
        seen.append((epoch, model.score(X, y)))

    watched = classifier().fit(X, y, watch=watch)
    np.testing.assert_array_equal(watched.predict_proba(X), classifier().fit(X, y).predict_proba(X))
    assert [epoch for epoch, _ in seen] == list(range(1, 31))
    assert seen[-1][1] == watched.score(X, y) > seen[0][1]


def test_pretrained_weights_have_a_smaller_learning_rate_than_a_new_last_layer(drawn, tmp_path):
    X, y = drawn
    before = classifier(epochs=5).fit(X, y)
    state = before.network_.state_dict()
    record = {"classes": before.classes_.tolist(), "head": list(state)}
    file = tmp_path / "before.safetensors"
    save_file(state, file, metadata={"mer": json.dumps(record)})

    def moved(names: np.ndarray, **settings) -> float:
        """Length of the first step of gradient descent."""
        one = {"pretrained": file, "epochs": 1, "batch_size": 99, "optimizer": "sgd"} | settings
        first, last = (classifier(**one | {"learning_rate": rate}).fit(X, names).network_ for rate in (0.0, 0.05))
        return float((last[-1].weight - first[-1].weight).detach().norm())

    assert moved(y) == pytest.approx(0.1 * moved(y, pretrained_rate=1.0), rel=1e-4)
    others = np.char.add(y, "?")  # other classes: the last layer is new and has the full rate
    assert moved(others) == pytest.approx(moved(others, pretrained_rate=1.0))


@pytest.mark.parametrize(
    ("convolution", "layout"),
    [
        (torch.nn.Conv2d(4, 8, 1, 2), torch.contiguous_format),  # corrupts the heap with channels last
        (torch.nn.Conv2d(8, 8, 1, 2), torch.channels_last),
        (torch.nn.Conv2d(3, 8, 1), torch.channels_last),
        (torch.nn.Conv2d(3, 8, 3, 2), torch.channels_last),
    ],
)
def test_channels_last_is_avoided_for_narrow_strided_1x1_convolutions(convolution, layout):
    assert memory_layout(torch.nn.Sequential(torch.nn.ReLU(), convolution)) == layout


def test_a_network_with_the_contiguous_layout_is_trained_on_contiguous_images():
    layouts = []

    class Narrow(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = torch.nn.Conv2d(4, 4, 1, 2), torch.nn.Linear(4, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if self.training:
                layouts.append(x.is_contiguous() and self.first.weight.is_contiguous())
            return self.last(self.first(x).mean((2, 3)))

    X = np.random.default_rng(0).normal(size=(8, 6 * 6 * 4))
    TorchClassifier(lambda *_: Narrow(), channels=4, epochs=2, batch_size=4).fit(X, ["a", "b"] * 4)
    assert layouts == [True] * 4


def test_prediction_does_not_depend_on_the_batch(drawn):
    X, y = drawn
    model = classifier().fit(X, y)
    together = model.predict_proba(X)
    np.testing.assert_allclose(
        np.vstack([model.predict_proba(X[i : i + 1]) for i in range(5)]), together[:5], atol=1e-6
    )


def test_batches_without_shuffling_keep_the_order(drawn):
    X, y = drawn
    in_order = classifier(shuffle=False, batch_size=20, epochs=1).fit(X, y)
    backward = classifier(shuffle=False, batch_size=20, epochs=1).fit(X[::-1], y[::-1])
    assert not np.allclose(in_order.predict_proba(X), backward.predict_proba(X), atol=1e-3)


def test_the_number_of_threads_is_restored():
    before = torch.get_num_threads()
    with one_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before


def test_a_single_class_is_always_predicted(drawn):
    X, _ = drawn
    assert set(classifier(epochs=1).fit(X, ["only"] * 60).predict(X)) == {"only"}


def test_rows_that_are_not_square_images_are_refused(drawn):
    with pytest.raises(ValueError, match="square images"):
        classifier().fit(np.zeros((4, 10)), ["a", "b"] * 2)


class OfAnyWidth(TorchClassifier):
    """Takes each row as an image of a single line, since scikit-learn's checks use tables of any width."""

    def _images(self, X: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(X.copy())[:, None, None, :]


def any_width(channels: int, size: int, n_classes: int) -> torch.nn.Module:
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(size, n_classes))


def name_of_check(value: object) -> str | None:
    """Not the repr of the estimator, which contains a memory address that differs between processes."""
    return getattr(getattr(value, "func", None), "__name__", "classifier")


CHECKED = OfAnyWidth(any_width, epochs=150, learning_rate=0.05, random_state=0)


@pytest.mark.slow
@pytest.mark.parametrize(("estimator", "check"), list(estimator_checks_generator(CHECKED)), ids=name_of_check)
def test_it_passes_the_checks_of_scikit_learn(estimator, check):
    check(estimator)


def test_a_module_that_is_returned_twice_is_trained_from_scratch():
    shared = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(32, 2))
    before = {name: value.clone() for name, value in shared.state_dict().items()}
    model = TorchClassifier(
        lambda channels, size, classes: shared, channels=2, epochs=2, learning_rate=0.1, random_state=0
    )
    X = np.random.default_rng(0).normal(0, 1, (8, 32))
    one, two = (model.fit(X, ["a", "b"] * 4).predict_proba(X) for _ in range(2))
    assert all(torch.equal(value, before[name]) for name, value in shared.state_dict().items())
    assert not np.allclose(one, 0.5)
    np.testing.assert_allclose(one, two)


def test_balanced_classes_have_equal_probability_if_the_data_tell_nothing():
    X, y = np.zeros((40, 9)), np.repeat(["frequent", "rare"], [30, 10])
    for balanced, expected in ((False, 0.25), (True, 0.5)):
        model = classifier(balanced=balanced, epochs=300, batch_size=40).fit(X, y)
        np.testing.assert_allclose(model.predict_proba(X)[:, 1], expected, atol=0.01)
