"""Pairs rendered on the fly."""

from __future__ import annotations

import numpy as np
import pytest

from mer.decflow.data.rendered import face_folders, open_rendered
from tests.decflow.data.warped import pulled_back


def test_a_rendered_pair_has_exact_flow_and_landmarks():
    pair = open_rendered("render:makehuman", "train")(np.random.default_rng(0), 96)
    assert pair.onset.shape == (96, 96, 3)
    assert pair.landmarks.shape == (478, 3)
    seen = (pair.mask > 0) & (pair.visible > 0)
    error = {
        shift: np.abs(pulled_back(pair.apex, pair.facial + shift) - pair.onset).mean(axis=2)[seen].mean()
        for shift in (0.0, 1.5)
    }
    assert error[0.0] < error[1.5]


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("render:ict", ValueError, "render:ict needs the face model's file"),
        ("render:makehuman@nowhere", FileNotFoundError, "nowhere: no faces"),
    ],
)
def test_what_a_source_lacks_is_named(text, error, words):
    with pytest.raises(error, match=words):
        open_rendered(text, "train")


def test_folders_of_faces_are_found_directly_and_one_level_down(faces):
    assert face_folders(faces) == [faces]
    assert faces in face_folders(faces.parent)
    assert face_folders(faces / "nowhere") == []
