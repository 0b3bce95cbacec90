from __future__ import annotations

import numpy as np

from mer.synth.background import draw_background
from mer.synth.camera import frame_camera
from mer.synth.portrait import Portrait


def test_backgrounds_follow_from_the_seed(portrait):
    camera = frame_camera(32.0, (48.0, 41.0))
    first, again, other = (
        draw_background(96, camera, portrait, np.random.default_rng(seed), from_portrait=False) for seed in (0, 0, 1)
    )
    assert first.shape == (96, 96, 3)
    assert first.dtype == np.uint8
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_the_person_is_removed_from_their_own_background(portrait):
    image = np.full_like(portrait.image, 200)
    image[portrait.matte > 0.03] = 0
    photograph = Portrait("dark", image, portrait.matte, portrait.landmarks)
    background = draw_background(
        96, frame_camera(32.0, (48.0, 41.0)), photograph, np.random.default_rng(0), from_portrait=True
    )
    assert background.min() > 190
