from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import LeaveOneGroupOut

from mer.decflow.networks import build
from mer.models.end_to_end_classifier import EmotionNetwork, EndToEndClassifier, Head, flow_features, pair_row, to_batch

SIZE = 64


def clips(people=3, each=2):
    """Pairs in which the corners of a drawn mouth move up or down by a pixel, on random skin per person."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:SIZE, :SIZE].astype(np.float32)
    bump = np.exp(-((y - 46) ** 2) / 60) * (np.exp(-((x - 24) ** 2) / 60) + np.exp(-((x - 40) ** 2) / 60))
    pairs, labels, who = [], [], []
    for person in range(people):
        skin = np.clip(128 + 400 * cv2.GaussianBlur(rng.standard_normal((SIZE, SIZE, 3)), (0, 0), 2), 0, 255)
        for _ in range(each):
            for label, sign in (("down", -1), ("up", 1)):
                apex = cv2.remap(skin.astype(np.float32), x, y + sign * 1.2 * bump.astype(np.float32), cv2.INTER_CUBIC)
                frames = np.clip(np.stack([skin, apex]) + rng.normal(0, 1, (2, SIZE, SIZE, 3)), 0, 255)
                pairs.append(frames.astype(np.uint8))
                labels.append(label)
                who.append(person)
    return np.stack(pairs), np.array(labels), np.array(who)


def test_strain_of_a_stretch_and_of_a_rotation():
    _, x = torch.meshgrid(torch.arange(28.0), torch.arange(28.0), indexing="ij")
    features = flow_features(torch.stack([0.1 * x, torch.zeros_like(x)])[None])
    assert features.shape == (1, 3, 28, 28)
    assert torch.allclose(features[0, 2, 1:-1, 1:-1], torch.tensor(0.1), atol=1e-5)
    turn = flow_features(torch.stack([0.1 * x.T, -0.1 * x])[None])  # a rotation strains nothing
    assert turn[0, 2, 1:-1, 1:-1].max() < 1e-5


@pytest.mark.parametrize(("tuned", "parts"), [("frozen", set()), ("last", {"facial_out", "head_out", "head_fix"})])
def test_gradients_reach_the_tuned_layers_only(tuned, parts):
    model = EmotionNetwork(build("lite"), Head(2), tuned)
    batch = to_batch(pair_row(clips(1, 1)[0][0])[None])
    model(batch).sum().backward()
    reached = {name.split(".")[-2] for name, p in model.flow.named_parameters() if p.grad is not None and p.grad.any()}
    assert reached == parts
    assert model.head.layers[0].weight.grad.any()


def test_gradients_reach_the_encoder_if_all_layers_are_tuned():
    model = EmotionNetwork(build("lite"), Head(2), "whole")
    batch = to_batch(pair_row(clips(1, 1)[0][0])[None])
    model(batch).sum().backward()
    assert model.flow.features.conv3.weight.grad.any()
    with pytest.raises(ValueError, match="tuned"):
        EmotionNetwork(build("lite"), Head(2), "some")


@pytest.mark.parametrize("tuned", ["frozen", "last"])
def test_unseen_people_are_classified(tuned):
    X, y, people = clips()
    X = np.stack([pair_row(pair) for pair in X])
    model = EndToEndClassifier(tuned, epochs=30, tuning_epochs=3, batch=6, lr=5e-3)
    right = []
    for train, test in list(LeaveOneGroupOut().split(X, y, people))[: 3 if tuned == "frozen" else 1]:
        right += list(clone(model).fit(X[train], y[train]).predict(X[test]) == y[test])
    assert np.mean(right) >= 0.75


def test_fitting_is_repeatable_and_keeps_the_global_random_state():
    X, y, _ = clips(2, 1)
    torch.manual_seed(7)
    before = torch.get_rng_state()
    one, two = (EndToEndClassifier("frozen", epochs=3).fit(X, y).predict_proba(X) for _ in range(2))
    assert np.array_equal(one, two)
    assert torch.equal(before, torch.get_rng_state())
    assert np.allclose(one.sum(axis=1), 1)


def test_wrong_input_is_reported():
    with pytest.raises(ValueError, match="uint8"):
        EndToEndClassifier().fit(np.zeros((3, 2, 64, 64, 3)), [0, 1, 0])
    with pytest.raises(ValueError, match="--size"):
        EndToEndClassifier().fit(np.zeros((3, 2, 60, 64, 3), np.uint8), [0, 1, 0])
    with pytest.raises(ValueError, match="expected one label per pair"):
        EndToEndClassifier().fit(clips(1, 1)[0], [0])
    with pytest.raises(ValueError, match="no known output layers"):
        EmotionNetwork(torch.nn.Conv2d(3, 2, 1), Head(2), "last")
    with pytest.raises(ValueError, match="rows of 100 values"):
        EndToEndClassifier().fit(np.zeros((3, 100), np.float32), [0, 1, 0])


def test_a_row_holds_frames_prior_and_initial_flows():
    pair = clips(1, 1)[0][0]
    batch = to_batch(np.stack([pair_row(pair)] * 2))
    assert {name: tuple(value.shape) for name, value in batch.items()} == {
        "onset": (2, 3, 64, 64), "apex": (2, 3, 64, 64), "prior": (2, 5, 16, 16), "start": (2, 4, 16, 16),
    }  # fmt: skip
    assert np.array_equal(batch["apex"][1].permute(1, 2, 0), pair[1])
    assert batch["prior"][0, 4].any()  # no face is detected in noise: the mean face is used


def test_tuning_starts_after_the_head_and_changes_the_output_layers():
    X, y, _ = clips(2, 1)
    X = np.stack([pair_row(pair) for pair in X])
    seen = []
    model = EndToEndClassifier("last", weights="decflow", epochs=2, tuning_epochs=2)
    before = {name: value.clone() for name, value in model.set_params().fit(X, y).new_network().flow.named_parameters()}

    def watch(fitted, epoch):
        after = dict(fitted.network_.flow.named_parameters())
        changed = {name for name, value in before.items() if not torch.equal(after[name], value)}
        seen.append((epoch, {name.split(".")[1] for name in changed}))
        fitted.predict(X)

    watched = clone(model).fit(X, y, watch)
    assert seen[:2] == [(1, set()), (2, set())]
    assert seen[2:] == [(n, {"facial_out", "head_out", "head_fix"}) for n in (3, 4)]
    assert np.array_equal(watched.predict_proba(X), model.predict_proba(X))  # the callback does not affect training
