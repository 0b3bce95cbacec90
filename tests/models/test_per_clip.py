import numpy as np
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mer.features import block_hoof
from mer.models import PerClip


def test_features_do_not_depend_on_other_clips():
    fields = np.random.default_rng(0).normal(size=(4, 28, 28, 2))
    step = PerClip(block_hoof, {"blocks": 4})
    together = step.fit_transform(fields)
    assert together.shape == (4, 4 * 4 * 8)
    np.testing.assert_array_equal(np.vstack([step.transform(field[None]) for field in fields]), together)


def test_it_works_in_a_pipeline_and_without_fit():
    fields = np.random.default_rng(0).normal(size=(4, 28 * 28 * 2))
    assert make_pipeline(clone(PerClip(block_hoof)), StandardScaler()).fit_transform(fields).shape == (4, 392)
    assert PerClip(np.ravel).transform(fields).shape == fields.shape


def test_features_of_different_shapes_are_refused():
    with pytest.raises(ValueError, match="shape"):
        PerClip(lambda field: np.zeros(int(field[0, 0, 0]))).transform(
            np.arange(1, 3).reshape(2, 1, 1, 1) * np.ones((2, 2, 2, 2))
        )
