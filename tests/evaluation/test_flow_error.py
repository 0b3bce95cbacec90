from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
import pytest

from mer.evaluation.flow_error import _named, evaluate_flow, expression_size, flow_errors, summarize
from mer.face.canonical import canonical_landmarks
from mer.flow import Flow


def landmarks(unit=24.0, place=(32, 26)):
    points = canonical_landmarks() * unit
    points[:, :2] += place
    return points.astype(np.float32)


def constant(facial, head, mask):
    shape = (*mask.shape, 2)
    return Flow.split(np.full(shape, facial, np.float32), np.full(shape, head, np.float32), mask)


@pytest.fixture
def mask():
    mask = np.zeros((64, 64), np.uint8)
    mask[16:48, 16:48] = 1
    return mask


def value(rows, component, part, column="epe"):
    (found,) = [row[column] for row in rows if row["component"] == component and row["part"] == part]
    return found


def test_the_truth_has_no_error(mask):
    truth = constant(1.0, 0.4, mask)
    rows = flow_errors(truth, truth, landmarks())
    assert max(row["epe"] for row in rows) < 1e-6
    assert all(row["within_1px"] == 1 for row in rows if row["part"] != "upstream")


def test_a_constant_error(mask):
    truth = constant([0.3, 0.4], 0.0, mask)  # facial and expression move by 0.5
    rows = flow_errors(constant([3.3, 4.4], 0.0, mask), truth)
    assert value(rows, "facial", "face") == pytest.approx(5.0, rel=1e-5)
    assert value(rows, "head", "face") == 0
    assert value(rows, "expression", "face", "within_3px") == 0
    # The band is that of the true motion.
    assert value(rows, "facial", "0.5 to 1 px") == pytest.approx(5.0, rel=1e-5)
    assert value(rows, "head", "below 0.5 px") == 0
    assert not [row for row in rows if row["part"] == "above 3 px"]


def test_the_background_counts_upstream_alone(mask):
    truth = constant(0.0, 0.0, mask)
    wrong = np.where(mask[..., None] > 0, 0, [2.0, 0.0]).astype(np.float32)
    rows = flow_errors(Flow.split(wrong, wrong, mask), truth)
    assert value(rows, "facial", "face") == 0
    background, face = (mask == 0).sum(), (mask > 0).sum()
    assert value(rows, "facial", "upstream") == pytest.approx(2 * background / face)
    assert value(rows, "facial", "upstream", "within_5px") == pytest.approx(mask.size / face)  # above 1, as upstream's


def test_the_zero_flow_baseline_is_wrong_by_the_size_of_the_expression(mask):
    rows = expression_size(constant(1.0, [1.0, 0.2], mask))
    assert {row["component"] for row in rows} == {"expression"}
    assert value(rows, "expression", "face") == pytest.approx(0.8, rel=1e-5)


def test_regions_are_scored_apart(mask):
    truth = constant(0.0, 0.0, np.ones((64, 64), np.uint8))
    found = np.zeros((64, 64, 2), np.float32)
    found[40:, :, 0] = 1.0  # below the nose
    rows = flow_errors(Flow.split(found, found, truth.mask), truth, landmarks())
    assert value(rows, "facial", "chin") == 1.0
    assert value(rows, "facial", "left_brow") == 0.0


def test_bands_are_pooled_over_pixels_and_faces_are_averaged():
    base = {
        "method": "m",
        "component": "facial",
        "within_1px": 1.0,
        "within_3px": 1.0,
        "within_5px": 1.0,
        "seconds": 0.1,
    }
    rows = pd.DataFrame(
        [
            {**base, "pair": "a", "part": "face", "epe": 1.0, "pixels": 10},
            {**base, "pair": "b", "part": "face", "epe": 3.0, "pixels": 30},
            {**base, "pair": "a", "part": "1 to 3 px", "epe": 1.0, "pixels": 10},
            {**base, "pair": "b", "part": "1 to 3 px", "epe": 3.0, "pixels": 30},
        ]
    )
    table = summarize(rows).set_index("part")["epe"]
    assert table["face"] == 2.0
    assert table["1 to 3 px"] == 2.5


def test_sizes_must_agree(mask):
    with pytest.raises(ValueError, match="truth"):
        flow_errors(constant(0, 0, mask[:32]), constant(0, 0, mask))


def test_methods_with_the_same_name_are_numbered():
    def dis(onset, apex):
        return None

    other = partial(dis)
    named = _named(["dis", dis, "dis", lambda a, b: a, lambda a, b: b, other, dis])
    assert list(named) == ["dis", "dis (2)", "<lambda>", "<lambda> (2)", "functools.partial"]


def test_a_folder_is_evaluated(tmp_path):
    facialflownet = pytest.importorskip("mer.flow.facialflownet")
    rng = np.random.default_rng(0)
    mask = np.zeros((64, 64), np.uint8)
    mask[8:56, 12:52] = 1
    truth = constant([0.6, 0.0], [0.2, 0.0], mask)
    frames = [rng.integers(0, 255, (64, 64, 3), np.uint8) for _ in range(2)]
    facialflownet.write_sequence(
        tmp_path, "test", "happiness", "a", frames, [truth],
        occlusions=[np.zeros_like(mask)], landmarks=np.stack([landmarks()] * 2), record={},
    )  # fmt: skip

    def perfect(onset, apex):
        return truth

    rows = evaluate_flow(tmp_path, [perfect])
    table = summarize(rows).set_index(["method", "component", "part"])["epe"]
    assert table["perfect", "expression", "face"] < 1e-6
    assert table["no expression", "expression", "face"] == pytest.approx(0.4, rel=1e-5)
    with pytest.raises(FileNotFoundError):
        evaluate_flow(tmp_path / "nowhere", [perfect])
    with pytest.raises(ValueError, match="device 'there'"):
        evaluate_flow(tmp_path, [perfect], device="there")


def test_data_without_a_face_are_refused(tmp_path):
    facialflownet = pytest.importorskip("mer.flow.facialflownet")
    frames = [np.zeros((64, 64, 3), np.uint8)] * 2
    truth = constant([0.6, 0.0], [0.2, 0.0], np.zeros((64, 64), np.uint8))
    facialflownet.write_sequence(
        tmp_path, "test", "happiness", "a", frames, [truth],
        occlusions=[np.zeros((64, 64), np.uint8)], landmarks=np.stack([landmarks()] * 2), record={},
    )  # fmt: skip
    with pytest.raises(ValueError, match="contains a face"):
        evaluate_flow(tmp_path, [lambda onset, apex: truth])
