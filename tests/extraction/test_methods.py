"""`estimate_flow` and the registry of flow methods."""

from __future__ import annotations

import functools
import inspect

import numpy as np
import pytest

from mer import METHODS, estimate_flow
from mer.extraction.methods import (
    DEFAULT_METHOD,
    FlowMethod,
    check_method,
    describe_method,
    method_name,
    method_status,
)
from mer.face import crop_landmarks, face_mask
from mer.flow import Flow
from mer.flow.rigid_head import RigidHead

SIZE = 96


@pytest.fixture
def frames() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8) for _ in range(2)]


@pytest.fixture
def landmarks() -> np.ndarray:
    return crop_landmarks(SIZE)


def one_right(onset, apex):
    return np.broadcast_to(np.array([1.0, 0.0]), (*onset.shape[:2], 2))


@pytest.mark.parametrize("name", ["decflow", "dis", "tvl1", "farneback"])
def test_a_moved_face(astronaut, name):
    """A face that moves as a whole: the facial flow is that motion, the head's too, and no expression is left."""
    onset, apex = astronaut[:224, 120:344], astronaut[2:226, 121:345]
    flow = estimate_flow(onset, apex, name, landmarks=crop_landmarks(224))
    inside = flow.mask > 0
    for part, expected in ((flow.facial, (-1, -2)), (flow.head, (-1, -2)), (flow.expression, (0, 0))):
        assert np.linalg.norm((part - expected)[inside], axis=1).mean() < 0.15
    assert np.array_equal(flow.expression, flow.facial - flow.head)
    assert not flow.expression[~inside].any()


def test_the_default_is_a_method():
    assert DEFAULT_METHOD in METHODS
    assert method_status(DEFAULT_METHOD) == ""


def test_an_unknown_name_lists_the_names(frames):
    with pytest.raises(ValueError, match="unknown flow method 'dys'; choose decflow, dis, tvl1, farneback, raft-small"):
        estimate_flow(*frames, "dys")
    with pytest.raises(ValueError, match="unknown flow method None"):
        estimate_flow(*frames, None)


def test_a_function_instead_of_a_name(frames, landmarks):
    flow = estimate_flow(*frames, one_right, landmarks=landmarks)
    assert np.array_equal(flow.mask, face_mask(landmarks, SIZE))
    assert np.array_equal(flow.facial, one_right(*frames))
    # A head that moves by a pixel moves a bit less where it is deep, so this field is not quite a head's.
    assert np.linalg.norm(flow.expression, axis=2).max() < 0.02


def test_a_function_receives_the_parameters_that_it_names(frames, landmarks):
    given = {}

    def records(onset, apex, landmarks, device="none"):
        given.update(landmarks=landmarks, device=device)
        return one_right(onset, apex)

    estimate_flow(*frames, records, landmarks=landmarks, device="cpu")
    assert np.array_equal(given["landmarks"], landmarks)
    assert given["device"] == "cpu"


def test_callables_of_other_kinds(frames, landmarks):
    class Method:
        def __call__(self, onset, apex):
            return one_right(onset, apex)

    for method in (Method(), functools.partial(one_right), lambda a, b: one_right(a, b).tolist()):
        assert estimate_flow(*frames, method, landmarks=landmarks).facial[0, 0, 0] == 1
        assert isinstance(method_name(method), str)


def test_a_complete_flow_is_returned_unchanged(frames):
    """A method that separates head and face itself needs no landmarks, so none are detected."""
    rng = np.random.default_rng(0)
    made = Flow.split(
        rng.normal(size=(SIZE, SIZE, 2)), rng.normal(size=(SIZE, SIZE, 2)), rng.random((SIZE, SIZE)) > 0.5
    )
    flow = estimate_flow(*frames, lambda onset, apex: made)
    for name in ("facial", "head", "expression", "mask"):
        assert np.array_equal(getattr(flow, name), getattr(made, name))


def test_gray_frames_are_converted_to_rgb(frames, landmarks):
    shapes = []

    def records(onset, apex):
        shapes.append((onset.shape, apex.shape))
        return one_right(onset, apex)

    estimate_flow(*(frame[..., 0] for frame in frames), records, landmarks=landmarks)
    assert shapes == [((SIZE, SIZE, 3), (SIZE, SIZE, 3))]


@pytest.mark.parametrize(
    ("onset", "apex", "message"),
    [
        (np.zeros((64, 64, 3)), np.zeros((64, 64, 3)), "onset is float64"),
        (np.zeros((64, 64, 4), np.uint8), np.zeros((64, 64, 4), np.uint8), r"onset is uint8 \(64, 64, 4\)"),
        (np.zeros((64, 64, 3), np.uint8), np.zeros((64, 60, 3), np.uint8), "differ in size"),
        (np.zeros((64, 64, 3), np.uint8), None, "apex is object"),
        (np.zeros((8, 64, 3), np.uint8), np.zeros((8, 64, 3), np.uint8), "64 x 8 pixels; expected 32 or more"),
    ],
)
def test_invalid_frames_are_refused(onset, apex, message):
    with pytest.raises(ValueError, match=message):
        estimate_flow(onset, apex, one_right)


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (None, "has shape"),
        (np.zeros((SIZE, SIZE)), "has shape"),
        (np.zeros((2, SIZE, SIZE)), "has shape"),
        (np.zeros((SIZE, SIZE - 1, 2)), "the size of the frames"),
        (np.full((SIZE, SIZE, 2), np.nan), "not finite"),
        (Flow.split(np.zeros((9, 9, 2)), np.zeros((9, 9, 2))), "the size of the frames"),
        (
            Flow(*(np.full((SIZE, SIZE, 2), 3, np.float32),) * 3, np.ones((SIZE, SIZE), np.uint8)),
            "is not facial - head",
        ),
    ],
)
def test_an_invalid_result_names_the_method(frames, landmarks, result, message):
    def returns_something_else(onset, apex):
        return result

    with pytest.raises(ValueError, match=f"returns_something_else.*{message}"):
        estimate_flow(*frames, returns_something_else, landmarks=landmarks)


def test_landmarks_of_another_shape_are_refused(frames):
    with pytest.raises(ValueError, match=r"expected \(478, 3\)"):
        estimate_flow(*frames, one_right, landmarks=np.zeros((68, 2)))


def test_landmarks_are_found_in_the_onset(astronaut, landmarks):
    crop = np.ascontiguousarray(astronaut[:256, 96:352])
    flow = estimate_flow(crop, crop, one_right)
    y, x = (axis.mean() for axis in np.nonzero(flow.mask))
    assert (x, y) == pytest.approx((127, 120), abs=15)  # the astronaut's face


@pytest.mark.parametrize("shape", [(96, 96), (96, 140), (150, 96)])
def test_without_a_face_the_mean_face_is_used(shape):
    blank = np.full((*shape, 3), 128, np.uint8)
    with pytest.warns(UserWarning, match="using the mean face"):
        flow = estimate_flow(blank, blank, one_right)
    assert np.array_equal(flow.mask, face_mask(crop_landmarks(shape), shape))
    x = np.nonzero(flow.mask)[1]
    assert x.min() + x.max() == pytest.approx(shape[1] - 1, abs=2)  # in the middle


def test_expression_is_facial_flow_without_the_head(frames, landmarks):
    """A method whose field is a rigid head plus a motion of the mouth: the two come apart again."""
    rigid = RigidHead.from_landmarks(landmarks, (SIZE, SIZE)).flow((0.02, -0.03, 0.01), (0.5, 0.3, 1))
    y, x = np.mgrid[:SIZE, :SIZE]
    mouth = landmarks[[61, 291], :2].mean(axis=0)
    smile = np.exp(-((x - mouth[0]) ** 2 + (y - mouth[1]) ** 2) / 40)[..., None] * (0, -2)
    flow = estimate_flow(*frames, lambda onset, apex: rigid + smile, landmarks=landmarks)
    assert np.linalg.norm(flow.expression - smile, axis=2)[flow.mask > 0].mean() < 0.03


def test_the_description_of_a_method(tmp_path, monkeypatch):
    assert describe_method("dis") == {"method": "dis", "weights": None, "weights_sha256": None}
    assert describe_method(one_right)["method"].endswith("test_methods.one_right")
    weights = tmp_path / "own.pth"
    weights.write_bytes(b"abc")
    monkeypatch.setenv("MER_RAFT_SMALL", str(weights))
    described = describe_method("raft-small")
    assert described["weights"] == "own.pth"
    assert described["weights_sha256"].startswith("ba7816bf8f01cfea")  # SHA-256 of "abc"


def test_missing_weights_are_reported_before_work_begins(tmp_path, monkeypatch):
    monkeypatch.delenv("MER_RAFT_LARGE", raising=False)
    monkeypatch.delenv("MER_DOWNLOAD", raising=False)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("MER_WEIGHTS", str(tmp_path))
    assert "MER_DOWNLOAD" in method_status("raft-large")
    assert "weights" in method_status("decflow-paper")
    assert "unknown flow method" in method_status("dys")
    with pytest.raises(FileNotFoundError, match="MER_DOWNLOAD"):
        check_method("raft-large")
    with pytest.raises(ValueError, match="unknown flow method"):
        check_method("dys")
    check_method("dis")
    check_method(one_right)


def test_a_registered_method_is_callable_with_the_signature_of_its_function(frames):
    method = METHODS["dis"]
    assert np.array_equal(method(*frames), method.run(*frames))
    assert inspect.signature(method) == inspect.signature(method.run)
    assert {"landmarks", "device"} <= set(inspect.signature(METHODS["decflow"]).parameters)


def test_a_registered_method_may_be_passed_instead_of_its_name(frames, landmarks):
    by_name = estimate_flow(*frames, "farneback", landmarks=landmarks)
    by_entry = estimate_flow(*frames, METHODS["farneback"], landmarks=landmarks)
    assert np.array_equal(by_name.facial, by_entry.facial)
    assert method_name(METHODS["farneback"]) == "mer.flow.classical.farneback"
    assert describe_method(METHODS["decflow"])["weights_sha256"] == describe_method("decflow")["weights_sha256"]


def test_a_plain_function_can_be_registered(frames, landmarks, monkeypatch):
    monkeypatch.setitem(METHODS, "right", one_right)
    check_method("right")
    assert method_status("right") == ""
    assert estimate_flow(*frames, "right", landmarks=landmarks).facial[0, 0, 0] == 1


def test_a_missing_library_is_reported_by_the_check(monkeypatch):
    def missing():
        raise ImportError("install it")

    monkeypatch.setitem(METHODS, "other", FlowMethod(one_right, check=missing))
    assert method_status("other") == "install it"
    with pytest.raises(ImportError, match="install it"):
        check_method("other")
