from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from mer.face import detect_faces
from mer.synth.portrait import (
    SIZE,
    PortraitError,
    find_pictures,
    frame_portrait,
    listed_landmarks,
    load_portrait,
    picture_fault,
    portrait_fault,
)


def test_landmarks_of_a_generated_portrait_agree_with_detection(portrait):
    shown = np.where(portrait.matte[..., None] > 0.5, portrait.image, 150).astype(np.uint8)
    faces = detect_faces(shown)
    assert faces
    interocular = np.linalg.norm(portrait.landmarks[263] - portrait.landmarks[33])
    error = np.linalg.norm(faces[0].landmarks[:468, :2] - portrait.landmarks[:468, :2], axis=1) / interocular
    assert np.median(error) < 0.05


def test_unusable_pictures_are_reported(tmp_path):
    blank = tmp_path / "blank.png"
    cv2.imwrite(str(blank), np.full((200, 200, 3), 128, np.uint8))
    with pytest.raises(PortraitError, match="no face found"):
        load_portrait(blank)
    (tmp_path / "landmarks478.json").write_text("{ not json")
    with pytest.raises(PortraitError, match="not a list of landmarks"):
        load_portrait(blank)
    (tmp_path / "landmarks478.json").write_text(json.dumps({"blank.png": {"lm": [[0, 0, 0]]}}))
    with pytest.raises(PortraitError, match=r"shape \(1, 3\)"):
        listed_landmarks(blank)
    assert "shape (1, 3)" in picture_fault(blank)[0]


def test_faces_that_cannot_become_a_head_are_reported(portrait):
    assert portrait_fault(portrait.landmarks) == ""
    assert "too small" in portrait_fault(portrait.landmarks / 10)
    opened, shut, turned = (portrait.landmarks.copy() for _ in range(3))
    opened[14, 1] += 30
    assert portrait_fault(opened) == "the mouth is open"
    shut[159] = shut[145]
    assert portrait_fault(shut) == "an eye is shut"
    turned[234, 2] += 100
    assert "turned" in portrait_fault(turned)


def test_a_framed_face_is_upright_in_the_center():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (400, 300, 3), np.uint8)
    landmarks = np.zeros((478, 3), np.float32)
    landmarks[[33, 263, 152, 234, 454], :2] = [[110, 150], [170, 180], [110, 260], [90, 170], [190, 220]]
    framed, points = frame_portrait(image, landmarks)
    assert framed.shape == (SIZE, SIZE, 3)
    assert abs(points[33, 1] - points[263, 1]) < 1e-3
    np.testing.assert_allclose(points[[33, 263, 152], :2].mean(0), SIZE / 2, atol=1e-3)


def test_a_folder_without_pictures_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such folder"):
        find_pictures(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="no pictures"):
        find_pictures(tmp_path)


@pytest.mark.assets
def test_photographs_become_heads(assets, makehuman):
    from mer.synth.head import make_head

    usable = 0
    for path in sorted((assets / "faces" / "sfhq").glob("*.jpg"))[:8]:
        try:
            portrait = load_portrait(path)
        except PortraitError:
            continue
        usable += 1
        assert 0.2 < portrait.matte.mean() < 0.95
        head = make_head(portrait, makehuman)
        projected = head.camera.project(head.landmarks)[:, :2]
        np.testing.assert_allclose(projected, portrait.landmarks[:, :2], atol=1e-2)
    assert usable >= 3
