from functools import partial

import numpy as np
import pandas as pd
import pytest

from mer.datasets.samples import read_samples
from mer.evaluation.evaluate_folder import evaluate
from mer.extraction.extract import extract_flow
from mer.extraction.frame_files import clip_path, frames_to_keep, load_clip, load_pair, pair_path, save_clip, save_pair
from mer.models import MODELS


def still(onset: np.ndarray, apex: np.ndarray) -> np.ndarray:
    return np.zeros((*onset.shape[:2], 2), np.float32)


def test_a_clip_is_stored_in_gray(tmp_path):
    rng = np.random.default_rng(0)
    crops = rng.integers(0, 256, (5, 64, 64, 3)).astype(np.uint8)
    save_clip(tmp_path / "c_0.npz", crops)
    assert clip_path(tmp_path / "c_0.npz") == tmp_path / "c_0.clip.npz"
    frames = load_clip(tmp_path / "c_0.npz")
    assert (frames.shape, frames.dtype) == ((5, 64, 64), np.uint8)
    assert np.abs(frames - crops @ [0.299, 0.587, 0.114]).max() <= 1
    with pytest.raises(ValueError, match="extract with --clips"):
        load_clip(tmp_path / "other.npz")
    clip_path(tmp_path / "other.npz").write_bytes(b"no archive")
    with pytest.raises(ValueError, match="not a readable clip"):
        load_clip(tmp_path / "other.npz")


def test_a_long_clip_keeps_equally_spaced_frames():
    np.testing.assert_array_equal(frames_to_keep(np.arange(9)), np.arange(9))
    kept = frames_to_keep(np.arange(1000))
    assert (len(kept), kept[0], kept[-1]) == (128, 0, 999)
    assert set(np.diff(kept)) == {7, 8}


def test_from_videos_to_a_classifier_of_frames(sample_videos, tmp_path):
    flows = tmp_path / "flows"
    extract_flow(sample_videos, flows, method=still, clips=True)
    first = read_samples(flows).iloc[0]
    frames = load_clip(flows / first["path"])
    assert len(frames) == first["offset"] - first["onset"] + 1
    assert frames.std() > 20
    result = evaluate(flows, model="svm-lbptop", seeds=1)
    assert result.predictions["prediction"].isin(["negative", "positive", "surprise"]).all()
    assert result.settings["sees"] == "gray frames"
    assert not len(result.failed)
    clip_path(flows / first["path"]).unlink()
    assert "extract with --clips" in evaluate(flows, model="svm-3dhog", seeds=1).failed["message"].iloc[0]
    extract_flow(sample_videos, flows, method=still, clips=True)  # repeats clips without frames
    np.testing.assert_array_equal(load_clip(flows / first["path"]), frames)


def test_onset_and_apex_are_stored_in_color(tmp_path):
    pair = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3)).astype(np.uint8)
    save_pair(tmp_path / "c_0.npz", *pair)
    assert pair_path(tmp_path / "c_0.npz") == tmp_path / "c_0.pair.npz"
    np.testing.assert_array_equal(load_pair(tmp_path / "c_0.npz"), pair)
    with pytest.raises(ValueError, match="extract with --pairs"):
        load_pair(tmp_path / "other.npz")
    np.savez(tmp_path / "gray_0.pair.npz", frames=pair[..., 0])
    with pytest.raises(ValueError, match="two color frames"):
        load_pair(tmp_path / "gray_0.npz")


@pytest.mark.slow
def test_from_videos_to_an_end_to_end_network(sample_videos, tmp_path):
    flows, few = tmp_path / "flows", partial(MODELS["end-to-end"], epochs=2, tuning_epochs=1)
    extract_flow(sample_videos, flows, method=still, size=64, pairs=True)
    first = read_samples(flows).iloc[0]
    pair = load_pair(flows / first["path"])
    assert (pair.shape, pair.dtype) == ((2, 64, 64, 3), np.uint8)
    assert np.abs(pair[1].astype(int) - pair[0]).max() > 20
    result = evaluate(flows, model=few, seeds=1, oracle_epoch=True)
    assert not len(result.failed)
    assert result.settings["sees"] == "onset and apex in color"
    assert result.settings["pretrained"].startswith("decflow, a flow network: Synthetic pairs alone")
    assert set(result.predictions["oracle_epoch"]) <= {1, 2, 3}
    together = evaluate(flows, model=few, seeds=1, oracle_epoch=True, workers=2)  # in new processes
    pd.testing.assert_frame_equal(together.predictions, result.predictions)
    pair_path(flows / first["path"]).unlink()
    assert "extract with --pairs" in evaluate(flows, model=few, seeds=1).failed["message"].iloc[0]
    extract_flow(sample_videos, flows, method=still, size=64, pairs=True)  # repeats clips without a pair
    np.testing.assert_array_equal(load_pair(flows / first["path"]), pair)
    extract_flow(sample_videos, flows, method=still, size=96, overwrite=True)
    assert not pair_path(flows / first["path"]).exists()
