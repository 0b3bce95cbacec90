import numpy as np
import pytest
from skimage.feature import local_binary_pattern

from mer.features import as_clips, hog3d, lbp_top, resample_time


def test_as_clips_reshapes_flattened_rows():
    clips = np.random.default_rng(0).normal(size=(3, 4, 6, 6)).astype(np.float32)
    np.testing.assert_array_equal(as_clips(clips.reshape(3, -1), 4), clips)
    flows = np.random.default_rng(0).normal(size=(3, 4, 6, 6, 2)).astype(np.float32)
    np.testing.assert_array_equal(as_clips(flows.reshape(3, -1), 4, channels=2), flows)


@pytest.mark.parametrize("shape", [(3, 28 * 28 * 2), (3, 5, 6, 6), (3, 10, 6, 6, 2), (10, 6, 6)])
def test_as_clips_rejects_other_shapes(shape):
    with pytest.raises(ValueError, match="expected clips of 10"):
        as_clips(np.zeros(shape), 10)


def test_as_clips_rejects_values_that_are_not_finite():
    with pytest.raises(ValueError, match="1 values"):
        as_clips(np.array([np.nan, 0, 0, 0]).reshape(1, 1, 2, 2), 1)


def test_resample_time_is_linear_and_keeps_both_ends():
    clip = np.arange(5.0)[:, None, None] * np.ones((5, 2, 3))
    np.testing.assert_allclose(resample_time(clip, 9)[:, 0, 0], np.arange(9) / 2)
    np.testing.assert_allclose(resample_time(clip, 2)[:, 0, 0], [0, 4])
    assert resample_time(clip[:1], 4).shape == (4, 2, 3)


def test_lbp_top_matches_scikit_image_in_the_image_plane():
    frame = np.random.default_rng(0).integers(0, 256, (20, 20)).astype(np.uint8)
    ours = lbp_top(np.repeat(frame[None], 3, 0), blocks=1, radii=(1, 1, 1)).reshape(3, 59)[0]
    theirs = local_binary_pattern(frame, 8, 1, "nri_uniform")[1:-1, 1:-1].astype(int)
    counts = np.bincount(theirs.ravel(), minlength=59)
    np.testing.assert_allclose(np.sort(ours), np.sort(counts / counts.sum()), atol=1e-6)


def test_lbp_top_histograms_sum_to_one():
    clip = np.random.default_rng(0).random((10, 24, 24))
    np.testing.assert_allclose(lbp_top(clip, blocks=3).reshape(9, 3, 59).sum(-1), 1, rtol=1e-5)


def test_lbp_top_ignores_lighting_and_shows_motion_only_in_temporal_planes():
    frame = np.random.default_rng(0).random((24, 24))
    still = np.repeat(frame[None], 10, 0)
    moving = np.stack([np.roll(frame, t, axis=1) for t in range(10)])
    np.testing.assert_allclose(lbp_top(still, blocks=1), lbp_top(2 * still + 5, blocks=1))
    a, b = (lbp_top(clip, blocks=1, radii=(1, 1, 1)).reshape(3, 59) for clip in (still, moving))
    assert np.abs(a[0] - b[0]).max() < 0.05
    assert np.abs(a[1] - b[1]).max() > 0.2


@pytest.mark.parametrize("shape", [(8, 30, 30), (9, 6, 30), (30, 30)])
def test_lbp_top_rejects_clips_that_are_too_small(shape):
    with pytest.raises(ValueError, match="too small"):
        lbp_top(np.zeros(shape))


def test_hog3d_separates_temporal_and_spatial_gradients():
    t, _, x = np.mgrid[:6, :16, :16].astype(float)
    brighter, ramp = hog3d(t, blocks=1, times=1), hog3d(x, blocks=1, times=1)
    assert brighter.shape == (20,)
    np.testing.assert_allclose([np.linalg.norm(brighter), np.linalg.norm(ramp)], 1, rtol=1e-5)
    assert brighter @ ramp < 0.5
    np.testing.assert_allclose(hog3d(3 * x, 1, 1), ramp, rtol=1e-5)  # contrast does not matter


def test_hog3d_cells_localize_the_gradient():
    clip = np.zeros((8, 16, 16))
    clip[4:, :4, :4] = 1
    cells = np.linalg.norm(hog3d(clip).reshape(2, 4, 4, 20), axis=-1)
    assert cells[1, 0, 0] > 0.9
    assert not cells[:, 2:].any()


def test_hog3d_rejects_clips_that_are_too_small():
    with pytest.raises(ValueError, match="too small"):
        hog3d(np.zeros((1, 16, 16)))
