import numpy as np
import pytest

from mer.face import crop_landmarks
from mer.face.box import BOX, face_box


@pytest.mark.parametrize("side", [56, 224])
def test_eyes_come_where_the_box_has_them(side):
    """A field that holds its own coordinates says where each pixel of the box was."""
    y, x = np.mgrid[:side, :side].astype(np.float32)
    box = face_box(np.dstack([x, y]), size=28)
    eyes = crop_landmarks(side)[[33, 263], :2]
    left, top, right, bottom = BOX
    column = 28 * (np.array([-0.5, 0.5]) - left) / (right - left) - 0.5
    row = 28 * (0 - top) / (bottom - top) - 0.5
    for k in (0, 1):
        seen = [np.interp(column[k], np.arange(28), box[14, :, 0]), np.interp(row, np.arange(28), box[:, 14, 1])]
        np.testing.assert_allclose(seen, eyes[k], atol=0.3)


def test_values_keep_their_unit():
    assert face_box(np.full((56, 56, 2), 3.0)) == pytest.approx(3.0)
