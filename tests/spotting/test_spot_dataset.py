"""Folders of videos: reading, writing, resuming. Spotting itself is replaced."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mer.datasets.samples import SamplesError
from mer.spotting import Spotting, evaluate_spotting, spot_dataset, spot_folder
from mer.spotting.face_motion import KeyFrame
from mer.spotting.intervals import THRESHOLD, find_intervals
from tests.spotting.drawn import bump, motion

KEY = KeyFrame(0, np.zeros(4, np.float32), np.zeros((478, 3), np.float32))


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    root = tmp_path / "videos"
    for subject in ("a", "b"):
        (root / subject).mkdir(parents=True)
        (root / subject / "talk.mp4").touch()
    return root


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Replaces `spot`: each video has an expression at frame 306. Returns the names of the spotted videos."""
    seen: list[str] = []

    def drawn(video: str, **settings: object) -> Spotting:
        seen.append(f"{Path(video).parent.name}/{Path(video).stem}")
        if Path(video).stem == "broken":
            raise ValueError(f"{video} is not a readable video")
        curve, intervals = find_intervals(motion({"brows": 1.5 * bump(600, 300, 306, 313)}))
        return Spotting(intervals, curve, THRESHOLD, 30.0, 600, [KEY], Path(video), "dis")

    monkeypatch.setattr(spot_dataset, "spot", drawn)
    return seen


def label(root: Path, **columns: list) -> None:
    table = {
        "subject": ["a", "a"],
        "clip": ["talk", "talk"],
        "onset": [300, 400],
        "apex": [306, 420],
        "offset": [313, 440],
    }
    pd.DataFrame({**table, **columns}).to_csv(root / "labels.csv", index=False)


def test_a_folder_of_videos_is_spotted_and_scored(videos: Path, calls: list[str], tmp_path: Path) -> None:
    label(videos, fps=[30, 30])
    table = spot_folder(videos, tmp_path / "out")
    assert table["status"].tolist() == ["ok", "ok"]
    truth, spotted = (pd.read_csv(tmp_path / "out" / f"{name}.csv") for name in ("truth", "spotted"))
    assert truth["kind"].tolist() == ["micro", "macro"]  # by duration
    assert spotted["apex"].tolist() == [306, 306]
    assert (tmp_path / "out/videos/a/talk/curve.png").stat().st_size > 1000
    scores = evaluate_spotting(tmp_path / "out").scores.set_index("kind")
    assert scores.loc["micro", ["tp", "fp", "fn"]].tolist() == [1, 1, 0]
    assert scores.loc["overall", ["tp", "fp", "fn"]].tolist() == [1, 1, 1]


def test_a_second_run_resumes(videos: Path, calls: list[str], tmp_path: Path) -> None:
    label(videos, kind=["micro", "macro"])
    spot_folder(videos, tmp_path / "out")
    assert len(calls) == 2
    (tmp_path / "out/videos/b/talk/done.csv").unlink()
    table = spot_folder(videos, tmp_path / "out")
    assert calls[2:] == ["b/talk"]
    assert table["frames"].tolist() == [600, 600]
    with pytest.raises(ValueError, match="was made with another rate"):
        spot_folder(videos, tmp_path / "out", rate=25)


def test_a_broken_video_does_not_stop_the_others(videos: Path, calls: list[str], tmp_path: Path) -> None:
    (videos / "a" / "broken.mp4").touch()
    table = spot_folder(videos, tmp_path / "out").set_index(["subject", "clip"])
    assert table.loc[("a", "broken"), "status"] == "unreadable"
    assert (table["status"] == "ok").sum() == 2


def test_labels_without_kind_and_rate_are_refused(videos: Path, calls: list[str], tmp_path: Path) -> None:
    label(videos)
    with pytest.raises(SamplesError, match="needs a column kind"):
        spot_folder(videos, tmp_path / "out")
    label(videos, kind=["micro", "huge"])
    with pytest.raises(SamplesError, match="'huge' is neither"):
        spot_folder(videos, tmp_path / "out")


def test_only_changed_videos_are_spotted_again(videos: Path, calls: list[str], tmp_path: Path) -> None:
    label(videos, kind=["micro", "macro"])
    out = tmp_path / "out"
    spot_folder(videos, out)
    spot_folder(videos, out, verify=True)
    assert len(calls) == 2
    (videos / "a" / "talk.mp4").write_bytes(b"another")
    spot_folder(videos, out)
    assert calls[2:] == ["a/talk"]
    label(videos, kind=["macro", "macro"], label=["happy", "sad"])
    spot_folder(videos, out)
    assert calls[3:] == []
    assert pd.read_csv(out / "truth.csv")["label"].tolist() == ["happy", "sad"]
    label(videos, kind=["macro", "macro"], fps=[25, 25])
    spot_folder(videos, out)
    assert calls[3:] == ["a/talk"]


def test_a_folder_of_results_without_a_record_of_sources_is_accepted(videos: Path, calls: list[str], tmp_path: Path):
    spot_folder(videos, tmp_path / "out")
    (tmp_path / "out" / ".mer-sources.csv").unlink()
    (videos / "a" / "talk.mp4").write_bytes(b"another")
    spot_folder(videos, tmp_path / "out")
    assert len(calls) == 2


def test_versions_are_recorded_by_video(videos: Path, calls: list[str], tmp_path: Path, monkeypatch) -> None:
    def run() -> dict:
        spot_folder(videos, tmp_path / "out")
        return json.loads((tmp_path / "out" / "run.json").read_text())

    first = run()
    monkeypatch.setattr("mer.extraction.flow_folder.__version__", "99.0")
    assert run() == first  # nothing was made
    (videos / "a" / "talk.mp4").write_bytes(b"another")
    assert run()["groups"] == [
        {"versions": {**first["versions"], "mer": "99.0"}, "clips": ["videos/a/talk"]},
        {"versions": first["versions"], "clips": ["videos/b/talk"]},
    ]
