"""`Flow` holds three finite fields of one size; the third is the difference of the others."""

from __future__ import annotations

import numpy as np
import pytest

from mer.flow import Flow


@pytest.fixture
def fields() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.normal(size=(6, 5, 2)), rng.normal(size=(6, 5, 2))


def test_expression_is_facial_minus_head(fields):
    flow = Flow.split(*fields)
    assert flow.facial.dtype == flow.head.dtype == flow.expression.dtype == np.float32
    assert np.array_equal(flow.expression, flow.facial - flow.head)
    assert flow.mask.dtype == np.uint8
    assert flow.mask.all()


def test_the_mask_holds_zeros_and_ones(fields):
    mask = np.zeros((6, 5), int)
    mask[2:4] = 255
    assert Flow.split(*fields, mask).mask.sum() == 10


@pytest.mark.parametrize(
    ("facial", "head", "mask", "message"),
    [
        (np.zeros((6, 5)), np.zeros((6, 5, 2)), None, r"facial flow has shape \(6, 5\)"),
        (np.zeros((6, 5, 2)), np.zeros((2, 6, 5)), None, r"head flow has shape \(2, 6, 5\)"),
        (np.zeros((0, 5, 2)), np.zeros((0, 5, 2)), None, "facial flow has shape"),
        (np.zeros((6, 5, 2)), np.zeros((5, 6, 2)), None, "differ in shape"),
        (np.full((6, 5, 2), np.nan), np.zeros((6, 5, 2)), None, "60 values that are not finite"),
        (np.zeros((6, 5, 2)), np.zeros((6, 5, 2)), np.ones((5, 6)), "the mask is"),
    ],
)
def test_invalid_fields_are_rejected(facial, head, mask, message):
    with pytest.raises(ValueError, match=message):
        Flow.split(facial, head, mask)
