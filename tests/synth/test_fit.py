from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mer.synth.face_model import FaceModelError, no_landmarks
from mer.synth.fit import fit_face, similarity
from tests.synth.model_files import portrait_landmarks


def test_a_fit_meets_the_landmarks(makehuman):
    landmarks = portrait_landmarks()
    fit = fit_face(makehuman, landmarks)
    projected = fit.camera.project(makehuman.landmarks(fit.vertices))[:, :2]
    error = np.linalg.norm(projected - landmarks[makehuman.has_landmark, :2], axis=1)
    assert np.median(error) < 1.0  # of 100 px between the eyes
    assert error.max() < 6


def test_a_model_without_landmarks_cannot_be_fitted(makehuman):
    corners, weights = no_landmarks()
    model = replace(makehuman, landmark_vertices=corners, landmark_weights=weights)
    with pytest.raises(FaceModelError, match="only 0 landmarks"):
        fit_face(model, portrait_landmarks())


def test_a_similarity_is_recovered():
    source = np.random.default_rng(0).normal(size=(20, 3))
    rotation = Rotation.from_euler("xyz", [0.3, -0.2, 0.5]).as_matrix()
    scale, fitted, translation = similarity(source, 2.5 * source @ rotation.T + [1, 2, 3])
    assert scale == pytest.approx(2.5)
    np.testing.assert_allclose(fitted, rotation, atol=1e-12)
    np.testing.assert_allclose(translation, [1, 2, 3], atol=1e-12)
