"""Sources of training pairs."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from mer.decflow.data.sources import Batches, open_source, place_mean_face
from mer.decflow.data.warped_photos import read_photos, warped_pair
from mer.flow import Flow
from mer.flow.facialflownet import write_sequence
from tests.decflow.data.warped import QUIET, pulled_back


def test_pair_n_is_the_same_each_time_and_differs_from_others(faces):
    dataset = Batches([open_source(faces, "train")], 96, seed=5)
    one, again, other = dataset[3], dataset[3], dataset[4]
    assert all((one[name] == again[name]).all() for name in one)
    assert (one["onset"] != other["onset"]).any()
    assert {name: tuple(value.shape) for name, value in one.items()} == {
        "onset": (3, 96, 96), "apex": (3, 96, 96), "facial": (2, 96, 96), "head": (2, 96, 96),
        "mask": (1, 96, 96), "visible": (1, 96, 96), "prior": (5, 24, 24), "start": (4, 24, 24),
    }  # fmt: skip


def test_without_landmarks_the_mean_face_is_placed_by_the_mask(faces):
    pair = warped_pair(read_photos([faces], "train")[0], np.random.default_rng(0), 128, QUIET)
    placed = place_mean_face(replace(pair, landmarks=None))
    assert np.linalg.norm(placed[:, :2] - pair.landmarks[:, :2], axis=1).mean() < 8


@pytest.mark.parametrize(("folder", "match"), [("nowhere", "landmarks478.json"), (".", "landmarks478.json")])
def test_a_folder_without_data_is_named(tmp_path, folder, match):
    with pytest.raises(FileNotFoundError, match=match):
        open_source(tmp_path / folder, "train")


def test_a_facialflownet_folder_is_read_and_augmented(faces, tmp_path):
    pair = warped_pair(read_photos([faces], "train")[0], np.random.default_rng(0), 128, QUIET)
    write_sequence(
        tmp_path, "train", "happiness", "a", [pair.onset, pair.apex], [Flow.split(pair.facial, pair.head, pair.mask)],
        occlusions=[np.zeros_like(pair.mask)], landmarks=np.stack([pair.landmarks] * 2), record={}, quality=100,
    )  # fmt: skip
    source = open_source(tmp_path, "train")
    for seed in range(3):
        again = source(np.random.default_rng(seed), 96)
        assert again.onset.shape == (96, 96, 3)
        seen = (again.visible > 0) & (cv2.erode(again.mask, np.ones((9, 9))) > 0)
        # Light and noise are new, so compare what the flow explains with what no flow would.
        residual = [
            np.abs(np.diff((pulled_back(again.apex, f) - again.onset).mean(axis=2)))[:, :][seen[:, 1:]].mean()
            for f in (again.facial, again.facial + 1.5)
        ]
        assert residual[0] < residual[1]
