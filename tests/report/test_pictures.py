import base64
import re

import cv2
import numpy as np

from mer.face import crop_landmarks
from mer.flow import Flow
from mer.report.figures import flow_to_rgb
from mer.report.pictures import arrows, describe, flow_pictures, jpeg, outline


def test_jpeg_preserves_colors():
    image = np.full((40, 40, 3), (250, 20, 60), np.uint8)
    data = base64.b64decode(jpeg(image).partition("base64,")[2])
    read = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    assert np.abs(read.astype(int) - image).max() < 6


def test_arrows_show_skin_motion():
    field = np.zeros((60, 60, 2), np.float32)
    field[..., 0] = 2.0  # to the right
    paths = re.findall(r"M(\S+) (\S+)L(\S+) (\S+)L(\S+) (\S+)Z", arrows(field, 2.0))
    assert len(paths) == 400
    x0, y0, tip_x, tip_y, _, y1 = map(float, paths[0])
    assert tip_x > x0 + 3
    assert tip_y == (y0 + y1) / 2
    assert arrows(field * 0.01, 2.0) == ""
    assert arrows(field * 0, 0.0) == ""


def test_each_field_has_its_own_scale_and_description():
    landmarks = crop_landmarks(224)
    head = np.full((224, 224, 2), 5, np.float32)
    facial = head.copy()
    x, y = landmarks[291, :2].astype(int)  # a corner of the mouth
    facial[y - 12 : y + 12, x - 12 : x + 12, 1] -= 0.5
    flow = Flow.split(facial, head)
    face, turn, expression = flow_pictures(flow, scale=94.0, landmarks=landmarks)
    assert face["full_color"].startswith("7.1 px, 7.5\N{NO-BREAK SPACE}%")
    assert turn["description"].startswith("head flow: strongest")
    assert "at the mouth, 0.5 px up in the image" in expression["description"]
    assert expression["full_color"].startswith("0.5 px") or expression["full_color"].startswith("0.19 px")
    assert expression["outline"] == outline(landmarks)


def test_zero_flow_is_white_and_described_as_no_motion():
    still = Flow.split(np.zeros((64, 64, 2)), np.zeros((64, 64, 2)))
    for picture in flow_pictures(still, scale=94.0):
        assert picture["arrows"] == ""
        assert picture["description"].endswith("no motion")
    assert describe(still.facial, still.mask > 0) == "no motion"
    assert (flow_to_rgb(still.facial, 0.188) == 255).all()
