"""Flow by OpenCV: TV-L1, DIS and Farneback, set for aligned faces of about 224 px and motions from a tenth to 5 px.

The settings were chosen by `benchmarks/flow_warped.py --split tune` (facial EPE, mean over six magnitudes of motion; 0
and 3 % change of light; sensor noise of 1.5 gray levels), and its other half of the people is what the tables report.
What made most of the difference, against OpenCV's own settings:

- **Light.** All three assume that a point keeps its gray level. A light that changes by 3 %, as between two frames
  under a flickering lamp, took TV-L1 from 0.10 px to 0.75 px. So both frames are first normalized in their local mean
  and contrast: the same error with and without the change, and no worse without it (DIS 0.085 px, TV-L1 0.09 px).
- **Resolution.** DIS stops at half resolution by default; its finest scale is the image here (0.13 to 0.08 px).

Every call makes its own OpenCV objects, which keep state between calls, so a result depends on its two frames alone.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from mer.flow.field import Field

_WINDOW = (
    8.0  # px, standard deviation of the local window; 6 to 16 measured alike, so no finer than the features of a face
)
_CONTRAST = 40.0  # gray levels for one local standard deviation; 30 to 60 measured alike
_NOISE = 6.0  # gray levels: contrast below it is sensor noise, which is not to be blown up on smooth skin


def dis(onset: NDArray[np.uint8], apex: NDArray[np.uint8]) -> Field:
    """Dense inverse search (Kroeger et al., "Fast optical flow using dense inverse search", ECCV 2016).

    Parameters
    ----------
    onset, apex : uint8 (H, W, 3)
        RGB, or (H, W) gray.

    Returns
    -------
    float32 (H, W, 2)
        Pixels, x first, from onset to apex on the onset's grid.
    """
    method = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    method.setFinestScale(0)
    method.setPatchSize(8)
    method.setPatchStride(4)  # 3 gains nothing and takes a third longer
    method.setGradientDescentIterations(12)  # as good as 25
    # The smoothness term: 20, OpenCV's own, leaves noise of 0.078 px where 40 leaves 0.072; at 160 motion is lost.
    method.setVariationalRefinementAlpha(40.0)
    method.setVariationalRefinementIterations(5)  # 0 costs half of the accuracy; 10 gains 2 % for a third of the time
    return _calc(method, _as_uint8(normalize_light(onset)), _as_uint8(normalize_light(apex)))


def tvl1(onset: NDArray[np.uint8], apex: NDArray[np.uint8]) -> Field:
    """Duality-based TV-L1 (Zach, Pock & Bischof, DAGM 2007), frames and result as in :func:`dis`.

    Raises
    ------
    ImportError
        Where OpenCV was built without its contributed modules.
    """
    require_tvl1()
    method = cv2.optflow.createOptFlow_DualTVL1()
    method.setLambda(0.1)  # weight of the data term; OpenCV's 0.15 follows noise more (0.097 against 0.092 px)
    # Local contrast removes what a median over the flow would: no gain from it, and a tenth of the iterations is enough
    # (OpenCV: 10 x 30 over five scales and five warps, ten times slower and 5 % worse).
    method.setMedianFiltering(1)
    method.setOuterIterations(2)
    method.setInnerIterations(10)
    method.setWarpingsNumber(3)
    method.setScalesNumber(4)
    method.setScaleStep(0.5)
    return _calc(method, normalize_light(onset) / np.float32(255), normalize_light(apex) / np.float32(255))


def farneback(onset: NDArray[np.uint8], apex: NDArray[np.uint8]) -> Field:
    """Polynomial expansion (Farneback, SCIA 2003), frames and result as in :func:`dis`."""
    # Small neighborhoods (3 px, sigma 0.8) and a wide Gaussian window: 0.120 px, where 5 px, sigma 1.2 and a box of
    # 15 px, as in OpenCV's examples, have 0.132.
    flow = cv2.calcOpticalFlowFarneback(
        _as_uint8(normalize_light(onset)),
        _as_uint8(normalize_light(apex)),
        np.zeros((*onset.shape[:2], 2), np.float32),
        pyr_scale=0.5,
        levels=3,
        winsize=27,
        iterations=3,
        poly_n=3,
        poly_sigma=0.8,
        flags=cv2.OPTFLOW_FARNEBACK_GAUSSIAN,
    )
    return np.asarray(flow, np.float32)


def require_tvl1() -> None:
    """`ImportError`, with the remedy, where this OpenCV has no TV-L1, one of its contributed modules."""
    if not (hasattr(cv2, "optflow") and hasattr(cv2.optflow, "createOptFlow_DualTVL1")):
        raise ImportError(
            "this OpenCV has no TV-L1 (cv2.optflow): opencv-python and opencv-contrib-python share a folder; run "
            "`python -m pip uninstall -y opencv-python opencv-python-headless opencv-contrib-python` and then "
            "`python -m pip install 'opencv-contrib-python<5'`"
        )


def normalize_light(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Gray levels freed of local brightness and contrast: `(H, W)`, around 128, within 0 to 255.

    A change of light that is smooth over the face, in gain or offset, cancels.
    """
    gray = image if image.ndim == 2 else cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY)
    gray = gray.astype(np.float32)
    detail = gray - cv2.GaussianBlur(gray, (0, 0), _WINDOW)
    contrast = np.sqrt(cv2.GaussianBlur(detail * detail, (0, 0), _WINDOW) + _NOISE**2)
    return np.clip(128 + _CONTRAST * detail / contrast, 0, 255).astype(np.float32)


def _as_uint8(image: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.rint(image).astype(np.uint8)


def _calc(method: cv2.DenseOpticalFlow, onset: np.ndarray, apex: np.ndarray) -> Field:
    # A field to write into: without one some builds hand back memory that the object still owns.
    return np.asarray(method.calc(onset, apex, np.zeros((*onset.shape, 2), np.float32)), np.float32)
