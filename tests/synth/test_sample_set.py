from __future__ import annotations

import numpy as np
import pandas as pd

from mer.face import crop_landmarks
from mer.synth.sample_set import CLASS_UNITS, NOTE, SIDE, expression_field, make_sample_set


def test_the_set_has_videos_labels_and_a_note(tmp_path):
    out = make_sample_set(tmp_path / "videos", people=1, clips=1)
    table = pd.read_csv(out / "labels.csv")
    assert sorted(table["label"]) == sorted(CLASS_UNITS)
    assert (table["onset"] < table["apex"]).all()
    assert all((out / row.subject / f"{row.clip}.mp4").exists() for row in table.itertuples())
    assert (out / "NOTE.txt").read_text().strip() == NOTE


def test_a_smile_moves_the_mouth_corners_outward_and_up():
    landmarks = crop_landmarks(SIDE)[:, :2].astype(float)
    interocular = float(np.linalg.norm(landmarks[33] - landmarks[263]))
    field = expression_field(landmarks, ("12",), interocular, np.random.default_rng(0))
    right, left = (field[tuple(landmarks[k].round().astype(int)[::-1])] for k in (61, 291))
    assert right[0] < 0 < left[0]
    assert max(right[1], left[1]) < 0
    assert np.abs(field[tuple(landmarks[105].round().astype(int)[::-1])]).max() < 0.1 * np.abs(field).max()
