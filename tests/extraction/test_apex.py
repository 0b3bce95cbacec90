import numpy as np
import pandas as pd
import pytest

from mer.extraction.apex import (
    STRAIN_REGIONS,
    apex_curve,
    divide_and_conquer,
    find_apex,
    peak,
    strain_curves,
    strain_peak,
)
from mer.extraction.extract import extract_flow


def hill(n: int, top: int, width: float, height: float = 1.0) -> np.ndarray:
    return height * np.exp(-(((np.arange(n) - top) / width) ** 2))


def test_one_peak_is_the_apex():
    assert divide_and_conquer(hill(40, 27, 4)) == 27


def test_a_lasting_rise_outweighs_a_single_spike():
    curve = np.zeros(64)
    curve[5] = 1.5  # alone in its half
    curve[[40, 44, 52]] = 0.8, 1.0, 0.7
    assert curve.argmax() == 5
    assert divide_and_conquer(curve) == 44


@pytest.mark.parametrize("curve", [np.arange(9.0), np.arange(9.0)[::-1]])
def test_a_peak_at_an_end_is_found(curve):
    assert divide_and_conquer(curve) == curve.argmax()


def test_the_region_with_the_most_strain_decides():
    curves = np.stack([hill(30, 4, 2, 0.1), hill(30, 25, 2, 0.2), hill(30, 12, 3, 0.9), hill(30, 20, 2, 0.3)], axis=1)
    assert strain_peak(curves) == 12


@pytest.mark.parametrize("curves", [np.zeros((0, 4)), np.zeros((7, 4)), np.full((7, 4), 0.3)])
def test_flat_or_empty_curves_have_no_apex(curves):
    assert strain_peak(curves) is None
    assert peak(curves[:, 0]) is None


@pytest.fixture(scope="module")
def clip(sample_videos, tmp_path_factory):
    """Crops of one clip of the sample set, the landmarks of its onset, and its labeled apex counted from there."""
    from mer.datasets.video import open_clip
    from mer.face import align, crop, detect_faces, transform

    labels = pd.read_csv(sample_videos / "labels.csv")
    row = labels[labels["label"] == "positive"].iloc[0]
    video = open_clip(next((sample_videos / row["subject"]).glob(f"{row['clip']}*")))
    images = [image for n, image in video.frames(video.numbers) if row["onset"] <= n <= row["offset"]]
    face = detect_faces(images[0])[0]
    small = align(face.landmarks, 128)
    crops = [crop(image, small) for image in images]
    return crops, transform(face.landmarks, small.matrix), int(row["apex"] - row["onset"]) - 1


@pytest.mark.parametrize("by", ["flow", "strain"])
def test_the_apex_of_a_smile_is_found(clip, by):
    crops, landmarks, apex = clip
    found = find_apex(crops[0], crops[1:], landmarks, by)
    assert abs(found - apex) <= 3


def test_a_smile_strains_the_mouth_more_than_the_brows(clip):
    crops, landmarks, apex = clip
    curves = strain_curves(crops[0], crops[1:], landmarks)
    assert curves.shape == (len(crops) - 1, len(STRAIN_REGIONS))
    strained = dict(zip(STRAIN_REGIONS, curves[apex]))
    assert strained["mouth"] > 2 * strained["brows"]


def test_no_frames_make_empty_curves(clip):
    crops, landmarks, _ = clip
    assert apex_curve(crops[0], [], landmarks).shape == (0,)
    assert strain_curves(crops[0], [], landmarks).shape == (0, len(STRAIN_REGIONS))
    assert find_apex(crops[0], [], landmarks, "strain") is None


def test_an_unknown_search_is_refused(clip):
    crops, landmarks, _ = clip
    with pytest.raises(ValueError, match="unknown apex search 'top'"):
        find_apex(crops[0], crops[1:], landmarks, "top")


def test_extraction_offers_each_search(sample_videos, tmp_path):
    row = pd.read_csv(sample_videos / "labels.csv").iloc[0]
    (tmp_path / "one" / row["subject"]).mkdir(parents=True)
    source = next((sample_videos / row["subject"]).glob(f"{row['clip']}*"))
    (tmp_path / "one" / row["subject"] / source.name).symlink_to(source)
    found = {}
    for by in ("flow", "strain", "midpoint"):
        table = extract_flow(tmp_path / "one", tmp_path / by, method="dis", size=64, apex=by)
        assert table["status"].tolist() == ["ok"]
        found[by] = table.loc[0, ["apex", "apex_source"]].tolist()
    assert [source for _, source in found.values()] == ["spotted", "spotted", "midpoint"]
    assert found["midpoint"][0] == 10
    assert all(abs(apex - row["apex"]) <= 4 for apex, _ in (found["flow"], found["strain"]))
    with pytest.raises(ValueError, match="apex 'flow', now 'strain'"):
        extract_flow(tmp_path / "one", tmp_path / "flow", method="dis", size=64, apex="strain")
    with pytest.raises(ValueError, match="unknown apex search 'top'"):
        extract_flow(tmp_path / "one", tmp_path / "top", apex="top")


@pytest.mark.parametrize("by", ["flow", "strain"])
def test_the_search_runs_on_the_chosen_device(clip, by):
    crops, landmarks, _ = clip
    devices = set()

    def method(onset, apex, device):
        devices.add(device)
        return np.zeros((*onset.shape[:2], 2), np.float32)

    assert find_apex(crops[0], crops[1:3], landmarks, by, method, device="cuda:7") is None
    assert devices == {"cuda:7"}


@pytest.mark.parametrize("top", [0, 3, 27, 39])
def test_the_peak_of_a_symmetric_curve_is_its_maximum(top):
    assert peak(hill(40, top, 3)) == top


def test_a_single_noisy_frame_is_not_the_peak():
    curve = hill(40, 27, 5)
    curve[8] = 1.2
    assert peak(curve) == 27
    assert peak(curve, smoothing=0.1) == 8
