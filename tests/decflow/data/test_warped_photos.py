"""Pairs from warped photographs."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from mer.decflow.data.warped_photos import read_photos, warped_pair
from tests.decflow.data.warped import QUIET, error_within


@pytest.mark.parametrize("seed", range(4))
def test_the_flow_of_a_warped_pair_explains_its_frames(faces, seed):
    rng = np.random.default_rng(seed)
    pair = warped_pair(read_photos([faces], "train")[0], rng, 128, QUIET)
    still = error_within(pair, np.zeros_like(pair.facial))
    assert error_within(pair, pair.facial) < 1.5  # grey levels: rounding, interpolation
    assert error_within(pair, pair.facial) < still
    # Half a pixel off is seen, so the agreement means something.
    assert error_within(pair, pair.facial + 0.5) > 2 * error_within(pair, pair.facial)


def test_a_still_face_has_no_expression_and_a_still_head_no_head_flow(faces):
    photo = read_photos([faces], "train")[0]
    face = warped_pair(photo, np.random.default_rng(0), 96, replace(QUIET, still_face=1))
    assert np.array_equal(face.facial, face.head)
    head = warped_pair(photo, np.random.default_rng(0), 96, replace(QUIET, still_head=1))
    assert not head.head.any()
    assert head.facial.any()
    outside = cv2.dilate(head.mask, np.ones((25, 25))) == 0
    assert np.abs(head.facial[outside]).max() < 0.02  # skin moves in the face alone


def test_each_person_is_in_one_split(faces):
    splits = {name: {photo.file.name for photo in read_photos([faces], name)} for name in ("train", "val", "test")}
    assert sum(map(len, splits.values())) == len(set().union(*splits.values())) == 24
