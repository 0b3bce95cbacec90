from __future__ import annotations

import numpy as np
import pytest

from mer.synth.drawn_motions import drawn_motions
from mer.synth.flow_degradation import as_8bit_image, degrade_flow, draw_recording, smooth_noise
from mer.synth.unit_motions import SIZE, UNITS


@pytest.fixture(scope="module")
def person():
    return drawn_motions(np.random.default_rng(0), variety=0)


def test_8bit_images_lose_zero_and_scale():
    field = np.random.default_rng(0).normal(size=(28, 28, 2))
    image = as_8bit_image(field)
    assert (image == image.astype(int)).all()
    assert np.ptp(image, axis=(0, 1)).tolist() == [255, 255]
    np.testing.assert_array_equal(image, as_8bit_image(field * [3.0, 0.1] + [7, -2]))
    assert not as_8bit_image(np.zeros((28, 28, 2))).any()


def test_without_hardship_flow_is_only_smoothed(person):
    rng = np.random.default_rng(1)
    recording = draw_recording(rng, SIZE, hardship=0)
    flow = 0.01 * person.fields[UNITS.index("L12")]
    degraded = degrade_flow(flow, person, recording, rng)
    assert np.abs(degraded).max() < np.abs(flow).max()
    np.testing.assert_allclose(degraded.sum((0, 1)), flow.sum((0, 1)), rtol=0.05, atol=1e-3)


def test_hardship_adds_false_motion(person):
    rng = np.random.default_rng(1)
    still = np.zeros((SIZE, SIZE, 2), np.float32)
    assert np.abs(degrade_flow(still, person, draw_recording(rng, SIZE), rng)).max() > 1e-3


def test_noise_has_unit_variance():
    noise = smooth_noise(np.random.default_rng(0), SIZE, 0.1)
    assert noise.std() == pytest.approx(1, abs=1e-3)
