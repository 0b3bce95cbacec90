"""Degradation by a camera."""

from __future__ import annotations

import numpy as np

from mer.decflow.data.degradation import degrade


def test_noise_light_and_compression_can_be_switched_off():
    """Color is common to both frames: identical frames stay identical up to noise."""
    frame = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    first, second = degrade([frame, frame], np.random.default_rng(1), noise=(1e-3, 1.1e-3), light=0.0, coarse=0.0)
    assert first.dtype == np.uint8
    assert np.abs(first.astype(int) - second).max() <= 1


def test_frames_differ_in_noise_and_light():
    frame = np.full((32, 32, 3), 128, np.uint8)
    first, second = degrade([frame, frame], np.random.default_rng(1), noise=(3.0, 3.1))
    assert np.abs(first.astype(int) - second).mean() > 1
