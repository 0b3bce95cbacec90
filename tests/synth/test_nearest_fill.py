from __future__ import annotations

import numpy as np

from mer.synth.nearest_fill import fill_from_nearest


def test_unknown_pixels_take_the_nearest_value():
    values = np.zeros((9, 9, 2))
    known = np.zeros((9, 9), bool)
    values[2, 2], values[6, 7], known[2, 2], known[6, 7] = (1, 2), (3, 4), True, True
    filled = fill_from_nearest(values, known)
    assert filled[0, 0].tolist() == filled[2, 2].tolist() == [1, 2]
    assert filled[8, 8].tolist() == filled[6, 7].tolist() == [3, 4]


def test_known_pixels_do_not_change():
    rng = np.random.default_rng(0)
    values, known = rng.normal(size=(20, 30)).astype(np.float32), rng.random((20, 30)) < 0.3
    filled = fill_from_nearest(values, known)
    np.testing.assert_array_equal(filled[known], values[known])
    assert set(filled.ravel()) == set(values[known])
