from __future__ import annotations

import numpy as np

from mer.synth.painted_person import paint_person
from mer.synth.portrait import SIZE
from mer.synth.skin import skin_model


def test_a_person_is_painted_around_the_face():
    face, weight = np.full((SIZE, SIZE, 3), (180, 140, 120), np.float32), np.ones((SIZE, SIZE), np.float32)
    landmarks = skin_model().landmarks[0]
    image, matte = paint_person(face, weight, landmarks, np.random.default_rng(0))
    again, _ = paint_person(face, weight, landmarks, np.random.default_rng(0))
    np.testing.assert_array_equal(image, again)
    np.testing.assert_allclose((matte.min(), matte.max()), (0, 1), atol=1e-6)
    x, y = landmarks[4, :2].round().astype(int)
    np.testing.assert_allclose(image[y, x], (180, 140, 120), atol=1)
    chin = int(landmarks[152, 1])
    assert matte[min(chin + 20, SIZE - 1), x] > 0.9  # the neck
    assert matte[-1].mean() > 0.5  # the shoulders
