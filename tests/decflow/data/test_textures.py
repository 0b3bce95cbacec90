"""Pairs without faces."""

from __future__ import annotations

import cv2
import numpy as np

from mer.decflow.data.sources import Batches, open_source
from tests.decflow.data.warped import pulled_back


def test_generic_pairs_show_no_face_and_their_flow_explains_them():
    source, better = open_source("generic", "train"), []
    for seed in range(25):
        pair = source(np.random.default_rng(seed), 96)
        assert pair.mask.all()
        assert not pair.head.any()
        left = []
        for flow in (0 * pair.facial, pair.facial):
            d = (pulled_back(pair.apex, flow) - pair.onset)[8:-8, 8:-8]
            left.append(np.abs(cv2.GaussianBlur(d, (0, 0), 1) - cv2.GaussianBlur(d, (0, 0), 6)).mean())
        if np.linalg.norm(pair.facial, axis=-1).mean() > 1:
            better.append(left[1] < 0.8 * left[0])
    assert len(better) > 3
    assert all(better)
    assert set(Batches([source], 96, seed=0)[0]) >= {"onset", "apex", "facial", "prior", "start"}
