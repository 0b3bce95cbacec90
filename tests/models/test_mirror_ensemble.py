import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from mer.models import Twins
from mer.models.mirror_ensemble import both_sides


def test_a_classifier_of_both_sides_is_fitted_to_both_and_averages_them():
    rng = np.random.default_rng(0)
    y = np.repeat(["a", "b", "c"], 20)
    clip = rng.normal(size=(60, 3)) + 3 * np.eye(3)[np.repeat([0, 1, 2], 20)]
    mirrored = clip[:, ::-1]  # in this test, the mirror image of (x, y, z) is (z, y, x)
    X = np.hstack([clip, mirrored])
    model = Twins(LogisticRegression()).fit(X, y)
    np.testing.assert_allclose(model.predict_proba(X), model.predict_proba(np.hstack([mirrored, clip])))
    reference = LogisticRegression().fit(np.vstack([clip, mirrored]), np.tile(y, 2))
    np.testing.assert_allclose(model.classifier_.coef_, reference.coef_)
    with pytest.raises(ValueError, match="mirror image"):
        Twins(LogisticRegression()).fit(clip, y)


def test_the_second_row_of_features_is_that_of_the_mirrored_face():
    field = np.zeros((28, 28, 2), np.float32)
    field[5, 3] = 1, 2
    original, mirrored = both_sides(field, np.ravel)
    np.testing.assert_array_equal(original, field.ravel())
    np.testing.assert_array_equal(mirrored.reshape(28, 28, 2)[5, 24], [-1, 2])
