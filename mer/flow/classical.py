"""Flow by OpenCV: TV-L1, DIS and Farneback, set for aligned faces of about 224 px and motions from a tenth to 5 px.

The settings were chosen by `benchmarks/flow_warped.py --split tune`: photographs warped by known fields, facial EPE in
pixels, mean over six magnitudes of motion, with sensor noise. What made the difference to OpenCV's own settings:

- **Light.** All three assume that a point keeps its gray level. A light that changes by 3 %, as under a flickering
  lamp, takes TV-L1 from 0.11 to 0.75 px and DIS from 0.13 to 0.19. So the frames are first normalized in their local
  mean and contrast, and the error is the same with and without the change.
- **Resolution.** DIS stops at half resolution by default; here its finest scale is the image (0.155 to 0.087 px).

Every call makes its own OpenCV objects, which keep state between calls, so a result depends on its two frames alone.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from mer.flow.field import Field

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
    method.setPatchStride(4)  # 3 gains 3 % for a third more time
    method.setGradientDescentIterations(12)  # 25 gains less than 1 %
    # Smoothness: OpenCV's own 20 follows noise (0.089 px), at 160 motion is lost (0.094), 40 has 0.087.
    method.setVariationalRefinementAlpha(40.0)
    method.setVariationalRefinementIterations(5)  # none: 0.128 px; 10: 0.089
    # A wide window, for motions of 20 px and more: a narrow one takes from the coarse scales what they see by. 24 and
    # 16 measure alike up to 5 px and 8 is 2 % better there, but on a real smile of 25 px, 8 failed in all of 16 frames,
    # 16 in 5 and 24 in none.
    return _calc(method, *(_as_uint8(normalize_light(frame, window=24)) for frame in (onset, apex)))


def tvl1(onset: NDArray[np.uint8], apex: NDArray[np.uint8]) -> Field:
    """Duality-based TV-L1 (Zach, Pock & Bischof, DAGM 2007), frames and result as in :func:`dis`.

    Raises
    ------
    ImportError
        Where OpenCV was built without its contributed modules.
    """
    require_tvl1()
    method = cv2.optflow.createOptFlow_DualTVL1()
    method.setLambda(0.1)  # weight of the data term; 0.07 and 0.3 are worse by 5 and 30 %
    # In normalized light a median over the flow changes nothing and a few iterations are best: OpenCV's 10 x 30 over
    # five scales and five warps has 5 % more error in five times the time.
    method.setMedianFiltering(1)
    method.setOuterIterations(2)
    method.setInnerIterations(10)
    method.setWarpingsNumber(3)
    method.setScalesNumber(4)
    method.setScaleStep(0.5)
    return _calc(method, *(normalize_light(frame) / np.float32(255) for frame in (onset, apex)))


def farneback(onset: NDArray[np.uint8], apex: NDArray[np.uint8]) -> Field:
    """Polynomial expansion (Farneback, SCIA 2003), frames and result as in :func:`dis`."""
    # Small neighborhoods and a wide Gaussian window: 0.135 px. A box of 15 px, poly_n 5 and poly_sigma 1.2, as in
    # OpenCV's examples, have 0.155, and 0.363 on plain gray levels.
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


def normalize_light(image: NDArray[np.uint8], window: float = 16.0) -> NDArray[np.float32]:
    """Gray levels freed of local brightness and contrast: `(H, W)`, around 128, within 0 to 255.

    A change of light that is smooth over the face, in gain or offset, cancels. `window` is the standard deviation of
    the Gaussian that says what is local, in pixels.
    """
    gray = image if image.ndim == 2 else cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY)
    gray = gray.astype(np.float32)
    detail = gray - cv2.GaussianBlur(gray, (0, 0), window)
    contrast = np.sqrt(cv2.GaussianBlur(detail * detail, (0, 0), window) + _NOISE**2)
    return np.clip(128 + _CONTRAST * detail / contrast, 0, 255).astype(np.float32)


def _as_uint8(image: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.rint(image).astype(np.uint8)


def _calc(method: cv2.DenseOpticalFlow, onset: np.ndarray, apex: np.ndarray) -> Field:
    # Without a field to start from: with one, be it of zeros, DIS searches less at its coarsest scale.
    return np.asarray(method.calc(onset, apex, None), np.float32)  # type: ignore[call-overload]
