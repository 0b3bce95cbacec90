from __future__ import annotations

import numpy as np

from mer.synth.camera import DISTANCE, Camera, ImageQuality, draw_image_quality, frame_camera, take_picture


def test_projection_is_that_of_a_pinhole():
    points = np.array([[1.0, -2.0, 4.0], [0.0, 0.0, 10.0]])
    np.testing.assert_allclose(Camera(100.0, (50.0, 60.0)).project(points), [[75, 10, 4], [50, 60, 10]])


def test_the_framed_face_has_the_interocular_distance_asked_for():
    camera = frame_camera(64.0, (96.0, 82.0))
    eyes = camera.project(np.array([[-0.5, 0, DISTANCE], [0.5, 0, DISTANCE]]))
    np.testing.assert_allclose(eyes[:, :2], [[64, 82], [128, 82]])


def test_noise_grows_with_brightness():
    rng = np.random.default_rng(0)
    dark, bright = (
        take_picture(np.full((64, 64, 3), level, np.float32), ImageQuality(noise=2.0), rng).std() for level in (20, 220)
    )
    assert 1.2 * dark < bright < 2.5 * dark


def test_a_perfect_camera_only_rounds():
    image = np.random.default_rng(0).uniform(0, 255, (8, 8, 3)).astype(np.float32)
    np.testing.assert_array_equal(take_picture(image, ImageQuality(), None), np.floor(image + 0.5).astype(np.uint8))


def test_drawn_quality_is_in_range():
    for seed in range(20):
        quality = draw_image_quality(np.random.default_rng(seed))
        assert quality.blur == 0 or 0.3 < quality.blur <= 0.7
        assert 0.3 <= quality.noise <= 3
        assert 82 <= quality.jpeg < 97
