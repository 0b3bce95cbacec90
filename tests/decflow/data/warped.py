"""Whether flow explains the frames of a pair."""

from __future__ import annotations

import cv2
import numpy as np

from mer.decflow.data.warped_photos import Motion

QUIET = Motion(noise=(0.01, 0.011), light=1e-6, coarse=0, still_head=0, still_face=0)


def pulled_back(image, flow):
    y, x = np.mgrid[: flow.shape[0], : flow.shape[1]].astype(np.float32)
    return cv2.remap(image.astype(np.float32), x + flow[..., 0], y + flow[..., 1], cv2.INTER_CUBIC)


def error_within(pair, flow):
    inner = cv2.erode(pair.mask, np.ones((9, 9))) > 0
    moved, onset = pulled_back(pair.apex, flow), pair.onset.astype(np.float32)
    return np.abs(moved - onset)[inner].mean()
