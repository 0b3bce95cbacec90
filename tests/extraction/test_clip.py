"""One clip: its interval, its apex, its files."""

from __future__ import annotations

import pytest

from mer.datasets.video_folder import list_clips
from mer.extraction import clip as extraction
from mer.extraction.clip import RESULT, extract_clip
from mer.extraction.extract import extract_flow
from mer.extraction.frame_files import clip_path, load_clip, load_pair, pair_path
from mer.extraction.settings import ExtractionSettings
from tests.extraction.test_extract import still


@pytest.fixture
def row(sample_videos) -> dict:
    """A clip of 20 frames, without labels."""
    clip = next((sample_videos / "p01").glob("*.mp4"))
    return {**list_clips(clip, None).iloc[0].to_dict(), "path": "d/s/c_0.npz"}


def test_an_unlabeled_clip_goes_from_the_first_to_the_last_frame(row, tmp_path, monkeypatch):
    monkeypatch.setattr(extraction, "find_apex", lambda onset, frames, *_, **__: len(list(frames)) - 13)
    fields = extract_clip(row, tmp_path, ExtractionSettings(still, size=64))
    assert set(fields) == set(RESULT)
    assert (fields["onset"], fields["apex"], fields["offset"]) == (0, 7, 19)
    assert (fields["apex_source"], fields["status"], fields["message"]) == ("spotted", "ok", "")
    assert (tmp_path / row["path"]).is_file()
    assert not clip_path(tmp_path / row["path"]).exists()


def test_without_motion_the_apex_is_the_midpoint(row, tmp_path, monkeypatch):
    monkeypatch.setattr(extraction, "find_apex", lambda *_, **__: None)
    fields = extract_clip(row, tmp_path, ExtractionSettings(still, size=64))
    assert (fields["apex"], fields["apex_source"], fields["message"]) == (10, "midpoint", "nothing moves")


def test_a_label_needs_no_search(row, tmp_path, monkeypatch):
    monkeypatch.setattr(extraction, "find_apex", lambda *_, **__: pytest.fail("searched"))
    labeled = {**row, "onset": 3, "apex": 5, "offset": 40}
    fields = extract_clip(labeled, tmp_path, ExtractionSettings(still, size=64))
    assert (fields["onset"], fields["apex"], fields["offset"], fields["apex_source"]) == (3, 5, 19, "label")


def test_aligned_frames_are_kept_on_request(row, tmp_path):
    settings = ExtractionSettings(still, size=64, clips=True, pairs=True, apex="midpoint")
    extract_clip({**row, "onset": 2, "offset": 12}, tmp_path, settings)
    assert load_clip(tmp_path / row["path"]).shape == (11, 64, 64)
    assert load_pair(tmp_path / row["path"]).shape == (2, 64, 64, 3)
    assert pair_path(tmp_path / row["path"]).is_file()


@pytest.mark.parametrize(
    ("labels", "status"),
    [
        ({"onset": 19}, "too_short"),
        ({"onset": 25}, "missing_frames"),
        ({"onset": 5, "offset": 5}, "bad_annotation"),
        ({"onset": 5, "apex": 25}, "missing_frames"),
        ({"source": "nowhere.mp4"}, "unreadable"),
    ],
)
def test_a_fault_is_a_status(row, tmp_path, labels, status):
    fields = extract_clip({**row, **labels}, tmp_path, ExtractionSettings(still, size=64))
    assert (fields["status"], fields["message"] != "") == (status, True)
    assert not list(tmp_path.iterdir())


def test_a_flow_that_cannot_be_written_is_an_error(row, tmp_path):
    (tmp_path / "d").write_text("no folder")
    with pytest.raises((FileExistsError, NotADirectoryError)):
        extract_clip(row, tmp_path, ExtractionSettings(still, size=64, apex="midpoint"))


def test_extraction_passes_its_device_to_the_search(sample_videos, tmp_path, monkeypatch):
    devices = []
    monkeypatch.setattr(extraction, "find_apex", lambda *_, device: devices.append(device) or 3)
    video = next((sample_videos / "p01").glob("*.mp4"))
    extract_flow(video, tmp_path / "flows", method="dis", size=64, device="cpu")
    assert devices == ["cpu"]


@pytest.mark.parametrize(("position", "apex"), [(0, 4), (-1, 12)])
def test_the_search_runs_from_the_frame_after_the_onset_to_the_offset(row, tmp_path, monkeypatch, position, apex):
    searched = []

    def choose(_, frames, *__, **___):
        searched.append(len(list(frames)))
        return position % searched[0]

    monkeypatch.setattr(extraction, "find_apex", choose)
    fields = extract_clip({**row, "onset": 3, "offset": 12}, tmp_path, ExtractionSettings(still, size=64))
    assert searched == [9]
    assert (fields["apex"], fields["apex_source"]) == (apex, "spotted")
