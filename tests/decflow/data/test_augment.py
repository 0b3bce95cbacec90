"""Augmented pairs still have exact flow."""

from __future__ import annotations

import numpy as np
import pytest

from mer.decflow.data.augment import augment, camera_shake, mirror, occlude, resample
from mer.decflow.data.warped_photos import read_photos, warped_pair
from tests.decflow.data.warped import QUIET, error_within, pulled_back


def test_mirrored_pairs_still_explain_their_frames(faces):
    pair = warped_pair(read_photos([faces], "train")[1], np.random.default_rng(1), 128, QUIET)
    flipped = mirror(pair)
    assert error_within(flipped, flipped.facial) == pytest.approx(error_within(pair, pair.facial), rel=0.05)
    assert np.array_equal(mirror(flipped).facial, pair.facial)
    assert np.allclose(mirror(flipped).landmarks, pair.landmarks, atol=1e-3)


def test_scaled_pairs_still_explain_their_frames(faces):
    pair = warped_pair(read_photos([faces], "train")[1], np.random.default_rng(1), 128, QUIET)
    bigger = resample(pair, np.array([1.3, 1.2]), np.array([-20.3, -10.7]), 144)
    assert bigger.onset.shape == (144, 144, 3)
    assert error_within(bigger, bigger.facial) < 2
    lengths = [np.linalg.norm(p.facial[p.mask > 0], axis=1).mean() for p in (bigger, pair)]
    assert 1.1 < lengths[0] / lengths[1] < 1.4
    assert np.allclose(bigger.landmarks[:, 0], 1.3 * pair.landmarks[:, 0] - 20.3, atol=1e-3)


def test_occluded_pixels_are_not_visible(faces):
    pair = warped_pair(read_photos([faces], "train")[1], np.random.default_rng(1), 128, QUIET)
    covered = occlude(pair, np.random.default_rng(0))
    changed = (covered.apex != pair.apex).any(axis=2)
    assert changed.any()
    seen = pulled_back(changed.astype(np.float32), pair.facial) > 0.2
    assert not covered.visible[seen].any()
    assert covered.visible.mean() > 0.8


def test_camera_motion_is_added_to_head_and_facial_flow(faces):
    """The length of the expression flow does not change."""
    rng = np.random.default_rng(3)
    pair = warped_pair(read_photos([faces], "train")[0], rng, 160, QUIET)
    scale, shift = np.full(2, 0.9), np.array([3.0, -2.0])
    moved = resample(pair, scale, shift, 128, camera_shake(rng, 128))
    steady = resample(pair, scale, shift, 128)
    assert np.abs(moved.head - steady.head).mean() > 0.3
    assert error_within(moved, moved.facial) < 2
    assert error_within(moved, moved.facial) < 0.7 * error_within(moved, steady.facial)
    lengths = [np.linalg.norm(p.facial - p.head, axis=-1) for p in (moved, steady)]
    assert np.abs(lengths[0] - lengths[1]).max() < 0.05 * lengths[1].max() + 1e-6


@pytest.mark.parametrize("seed", range(6))
def test_augmented_pairs_have_the_requested_size_and_an_expression(faces, seed):
    rng = np.random.default_rng(seed)
    pair = augment(warped_pair(read_photos([faces], "train")[0], rng, 128, QUIET), rng, 96)
    assert pair.onset.shape == pair.apex.shape == (96, 96, 3)
    assert pair.facial.shape == pair.head.shape == (96, 96, 2)
    assert pair.mask.mean() > 0.2
    assert np.abs(pair.facial - pair.head).max() > 0
