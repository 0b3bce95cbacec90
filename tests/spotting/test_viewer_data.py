import base64

import numpy as np
import pytest

from mer.datasets.video import Clip
from mer.extraction.expression import Expression
from mer.face import align, canonical_landmarks, crop, crop_landmarks
from mer.flow import Flow
from mer.spotting.viewer_data import GRID, MAX_WITH_FLOW, ShownExpression, frames_to_show, make_view


def shown_expression(onset: int, apex: int, offset: int, images: dict) -> ShownExpression:
    alignment = align(canonical_landmarks() * 60 + [80, 80, 0], 64)
    crops = crop(images[onset], alignment), crop(images[apex], alignment)
    expression = Expression(onset, apex, alignment, crop_landmarks(64), crops, shift(*crops))
    return ShownExpression(0, offset, expression, [])


def shift(onset: np.ndarray, apex: np.ndarray) -> Flow:
    """A flow whose magnitude is proportional to the difference in gray level of two uniform images."""
    facial = np.zeros((*onset.shape[:2], 2), np.float32)
    facial[..., 0] = (float(apex.mean()) - float(onset.mean())) / 10
    head = facial / 4
    return Flow.split(facial, head)


@pytest.fixture
def clip(tmp_path) -> Clip:
    images = {n: np.full((160, 160, 3), 5 * n, np.uint8) for n in range(40)}
    clip = Clip(tmp_path, np.arange(40), np.arange(40) / 25, 25.0, lambda places: (images[n] for n in places))
    clip.__dict__["images"] = images
    return clip


def test_onset_apex_and_offset_are_always_shown():
    numbers = np.arange(10_000)
    marks = [(100, 155, 1200), (4000, 4003, 4006)]
    shown = frames_to_show(numbers, marks)
    for k, three in enumerate(marks):
        assert all(shown[number] == k for number in three)
    assert list(shown) == sorted(shown)
    assert sum(k >= 0 for k in shown.values()) <= MAX_WITH_FLOW
    assert sum(k == 1 for k in shown.values()) == 7


def test_the_packed_flow_of_each_frame_starts_at_the_onset(clip):
    one = shown_expression(10, 16, 20, clip.images)
    view = make_view(clip, [one], lambda number: None, method=shift, with_faces=False)
    inside = {frame["n"]: frame for frame in view["frames"] if frame["i"] == 0}
    assert list(inside) == list(range(10, 21))
    [packed] = view["intervals"]
    for n, frame in inside.items():
        values = np.frombuffer(base64.b64decode(frame["flow"]), np.int8).reshape(2, GRID, GRID, 2)
        expression_flow, head = values[0] * packed["step"][0], values[1] * packed["step"][1]
        assert np.allclose((expression_flow + head)[..., 0], 0.5 * (n - 10), atol=0.05)
    assert packed["longest"][0] == pytest.approx(3.0, abs=0.01)
    assert not any("image" in frame for frame in view["frames"])
    assert all("flow" not in frame for frame in view["frames"] if frame["i"] < 0)


def test_frames_are_shown_on_request(clip):
    view = make_view(clip, [], lambda number: None, method=shift, with_faces=True)
    assert len(view["frames"]) == 40
    assert all(frame["image"].startswith("data:image/jpeg") for frame in view["frames"])
    assert view["frames"][5]["t"] == 0.2
