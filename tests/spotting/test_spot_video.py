from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

import mer
from mer.spotting.spot_video import spot


def test_a_folder_of_frames_needs_a_frame_rate(tmp_path: Path, astronaut: np.ndarray) -> None:
    image = cv2.resize(astronaut, (160, 160), interpolation=cv2.INTER_AREA)[..., ::-1]
    for number in range(5, 17):
        cv2.imwrite(str(tmp_path / f"img{number}.png"), image)
    with pytest.raises(ValueError, match="--fps 200"):
        spot(tmp_path)
    found = mer.spot(tmp_path, fps=60)
    assert found.curve["frame"].tolist() == [5, 7, 9, 11, 13, 15]  # every other one, 30 a second
    assert found.curve["time"].tolist() == pytest.approx([i / 30 for i in range(6)])
    assert found.intervals.empty
    assert (found.fps, found.frames) == (60, 12)
    assert found.alignment_at(16).size == 224
    folder = found.save(tmp_path / "out")
    assert {path.name for path in folder.iterdir()} == {"intervals.csv", "curve.csv", "curve.png"}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"method": "nope"}, "nope"),
        ({"face": "upper"}, "unknown choice of face"),
        ({"align": "nobody"}, "unknown face detector"),
        ({"fps": 2}, "at least 5"),
        ({"fps": 30, "rate": 1}, "rate is 1"),
    ],
)
def test_invalid_settings_are_refused(tmp_path: Path, settings: dict, message: str) -> None:
    cv2.imwrite(str(tmp_path / "img1.png"), np.zeros((64, 64, 3), np.uint8))
    with pytest.raises(ValueError, match=message):
        spot(tmp_path, **settings)


def test_a_video_without_a_face_has_no_intervals(tmp_path: Path) -> None:
    for number in range(3):
        cv2.imwrite(str(tmp_path / f"img{number}.png"), np.zeros((64, 64, 3), np.uint8))
    found = spot(tmp_path, fps=30)
    assert found.keys == []
    assert found.intervals.empty
    assert found.curve["strength"].isna().all()
    found.save(tmp_path / "out")
    with pytest.raises(ValueError, match="no face was found"):
        found.alignment_at(0)


@pytest.mark.slow
@pytest.mark.assets
def test_the_smile_of_a_real_face_is_spotted(assets: Path) -> None:
    found = spot(assets / "videos" / "single_face.mp4")
    assert len(found.intervals) == 1
    assert found.intervals["kind"][0] == "macro"
