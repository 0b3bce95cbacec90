from __future__ import annotations

import numpy as np

from mer.synth.head_texture import MOUTH_PAGE, make_texture


def test_a_texture_has_three_pages(portrait):
    height, width = portrait.matte.shape
    texture = make_texture(portrait, 128.0)
    assert texture.shape == (height, 2 * width + MOUTH_PAGE, 4)
    np.testing.assert_allclose(texture[:, :width, 3], portrait.matte * 255)
    assert (texture[:, width:, 3] == 255).all()
    x, y = portrait.landmarks[4, :2].round().astype(int)
    np.testing.assert_allclose(texture[y, x, :3], portrait.image[y, x], atol=1)


def test_eyes_continue_under_the_lids(portrait):
    width = portrait.matte.shape[1]
    texture = make_texture(portrait, 128.0)
    skin, eyes = texture[:, :width, :3], texture[:, width : 2 * width, :3]
    lid = portrait.landmarks[159, :2].round().astype(int) - [0, 4]  # above the opening
    assert np.abs(skin - eyes)[lid[1], lid[0]].max() > 5
    nose = portrait.landmarks[4, :2].round().astype(int)
    np.testing.assert_allclose(skin[nose[1], nose[0]], eyes[nose[1], nose[0]], atol=1)
