"""What a face box shows: the part of the aligned crop that face detectors cut out, and that published sets show."""

from __future__ import annotations

import cv2
import numpy as np

from mer.face.align import CROP_CENTER, CROP_SCALE

Box = tuple[float, float, float, float]

# Left, top, right and bottom, in interocular distances from the middle between the eyes: ear to ear, mid-forehead to
# chin.
BOX: Box = (-0.80, -0.62, 0.80, 1.28)


def face_box(field: np.ndarray, box: Box = BOX, size: int = 28) -> np.ndarray:
    """Cut a box out of fields on the aligned crop `(S, S, 2)` and resample it to `(size, size, 2)`.

    The values keep their unit. Beyond the crop its border goes on.
    """
    field = np.asarray(field, np.float32)
    scale = CROP_SCALE * len(field)
    corner = (len(field) - 1) / 2 - scale * np.array(CROP_CENTER[:2])  # the middle between the eyes
    step = np.array([box[2] - box[0], box[3] - box[1]]) * scale / size  # pixels of the crop to one of the box
    start = corner + scale * np.array(box[:2]) + step / 2
    blur = np.sqrt(np.maximum(step**2 - 1, 0.01)) / 2  # so that nothing aliases where it shrinks
    soft = cv2.GaussianBlur(field, (0, 0), sigmaX=float(blur[0]), sigmaY=float(blur[1]))
    matrix = np.array([[step[0], 0, start[0]], [0, step[1], start[1]]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(soft, matrix, (size, size), flags=flags, borderMode=cv2.BORDER_REPLICATE)
