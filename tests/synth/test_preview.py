from __future__ import annotations

import cv2
import numpy as np
import pytest

from mer.face.canonical import canonical_landmarks
from mer.synth.flow_dataset import Settings, make_dataset
from mer.synth.preview import contact_sheet, expression_shape, flow_picture, statistics


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    return make_dataset(tmp_path_factory.mktemp("preview") / "run", Settings(preset="micro", pairs=2, size=64, seed=1))


def test_direction_is_hue_and_length_is_saturation():
    field = np.array([[[0, 0], [2, 0], [-2, 0], [1, 0]]], float)
    still, right, left, half = flow_picture(field, 2.0)[0].astype(int)
    assert still.tolist() == [255, 255, 255]
    assert right.tolist() == [255, 0, 0]
    assert left.tolist() == [0, 255, 255]
    assert half[0] == 255
    assert 120 < half[1] < 135


def test_a_contact_sheet_has_a_row_per_pair(rendered, tmp_path):
    sheet = cv2.imread(str(contact_sheet(rendered, tmp_path / "preview.png")))
    assert sheet.shape == (2 * 64, 5 * 64, 3)


def test_statistics_are_drawn_for_a_small_dataset(rendered, tmp_path):
    figure = cv2.imread(str(statistics(rendered, tmp_path / "statistics.png")))
    assert min(figure.shape[:2]) > 500


def test_a_shape_does_not_depend_on_position_and_size():
    face = canonical_landmarks()
    shapes = expression_shape(np.stack([face, 100 * face + [50, 20, 0]]))
    assert shapes.shape == (2, 3 * 468)
    np.testing.assert_allclose(shapes, 0, atol=1e-4)
