"""Fill unknown pixels with the value of the nearest known one."""

import cv2
import numpy as np


def fill_from_nearest(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Replace each pixel of `values (H, W, ...)` by that of the nearest pixel of the bool mask `known (H, W)`.

    OpenCV approximates distances, unlike :func:`scipy.ndimage.distance_transform_edt`; rendered bytes depend on it.
    """
    unknown = (~known).astype(np.uint8)
    label = cv2.distanceTransformWithLabels(unknown, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)[1]
    of_label = np.zeros((label.max() + 1, *values.shape[2:]), values.dtype)
    of_label[label[known]] = values[known]
    return of_label[label]
