import base64
import re

import cv2
import numpy as np

from mer.face import crop_landmarks
from mer.flow import Flow
from mer.report.figures import flow_to_rgb
from mer.report.pictures import darts, describe, flow_pictures, jpeg, outline


def test_a_picture_keeps_its_colors():
    image = np.full((40, 40, 3), (250, 20, 60), np.uint8)
    data = base64.b64decode(jpeg(image).partition("base64,")[2])
    read = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    assert np.abs(read.astype(int) - image).max() < 6


def test_darts_point_where_the_skin_goes_and_end_there():
    field = np.zeros((60, 60, 2), np.float32)
    field[..., 0] = 2.0  # to the right
    paths = re.findall(r"M(\S+) (\S+)L(\S+) (\S+)L(\S+) (\S+)Z", darts(field, 2.0))
    assert len(paths) == 400
    x0, y0, tip_x, tip_y, _, y1 = map(float, paths[0])
    assert tip_x > x0 + 3
    assert tip_y == (y0 + y1) / 2
    assert darts(field * 0.01, 2.0) == ""
    assert darts(field * 0, 0.0) == ""


def test_each_field_has_its_own_scale_and_words():
    landmarks = crop_landmarks(224)
    head = np.full((224, 224, 2), 5, np.float32)
    facial = head.copy()
    x, y = landmarks[291, :2].astype(int)  # a corner of the mouth
    facial[y - 12 : y + 12, x - 12 : x + 12, 1] -= 0.5
    flow = Flow.split(facial, head)
    face, turn, expression = flow_pictures(flow, scale=94.0, landmarks=landmarks)
    assert face["full"].startswith("7.1 px, 7.5 %")
    assert turn["words"].startswith("head flow: strongest")
    assert "at the mouth, 0.5 px up in the picture" in expression["words"]
    assert expression["full"].startswith("0.5 px") or expression["full"].startswith("0.19 px")
    assert expression["outline"] == outline(landmarks)


def test_stillness_is_pale_and_said():
    still = Flow.split(np.zeros((64, 64, 2)), np.zeros((64, 64, 2)))
    for picture in flow_pictures(still, scale=94.0):
        assert picture["darts"] == ""
        assert picture["words"].endswith("nothing moves")
    assert describe(still.facial, still.mask > 0) == "nothing moves"
    assert (flow_to_rgb(still.facial, 0.188) == 255).all()
