import numpy as np
import pytest

from mer.clip_files import clip_path, kept_frames, load_clip, save_clip
from mer.evaluation import evaluate
from mer.extract import extract_flow
from mer.samples import read_samples


def still(onset: np.ndarray, apex: np.ndarray) -> np.ndarray:
    return np.zeros((*onset.shape[:2], 2), np.float32)


def test_a_clip_comes_back_in_gray(tmp_path):
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


def test_of_a_long_clip_equally_spaced_frames_are_kept():
    np.testing.assert_array_equal(kept_frames(np.arange(9)), np.arange(9))
    kept = kept_frames(np.arange(1000))
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
    extract_flow(sample_videos, flows, method=still, clips=True)  # makes again what lacks its clip
    np.testing.assert_array_equal(load_clip(flows / first["path"]), frames)
