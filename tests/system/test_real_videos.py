"""The main job on real videos: a smile, a speaker, and no face."""

import shutil

import numpy as np
import pytest

from mer.datasets.video import open_clip
from mer.extraction.extract import extract_flow
from mer.face import align, detect_faces, transform
from mer.flow import load_flow


@pytest.mark.slow
@pytest.mark.assets
def test_a_smile_is_found_and_its_mouth_corners_move_up_and_outward(assets, tmp_path):
    for name in ("single_face.mp4", "no_face.mp4", "grid_bbaf2n.mpg"):
        (tmp_path / "videos" / name[:4]).mkdir(parents=True)
        shutil.copy(assets / "videos" / name, tmp_path / "videos" / name[:4])
    table = extract_flow(tmp_path / "videos", tmp_path / "flows").set_index("subject")
    assert table["status"].to_dict() == {"grid": "ok", "no_f": "no_face", "sing": "ok"}
    smile = table.loc["sing"]
    assert smile["apex_source"] == "spotted"
    assert 17 <= smile["apex"] <= 66  # neutral before, neutral again after

    onset = open_clip(assets / "videos" / "single_face.mp4").frame(0)
    face = detect_faces(onset)[0]
    landmarks = transform(face.landmarks, align(face.landmarks).matrix)
    expression = load_flow(tmp_path / "flows" / smile["path"]).expression
    for corner, outward in ((61, -1), (291, 1)):
        x, y = np.round(landmarks[corner, :2]).astype(int)
        u, v = expression[y - 8 : y + 9, x + 6 * outward - 6 : x + 6 * outward + 7].mean((0, 1))
        assert outward * u > 1
        assert v < -3
