"""Flow by OpenCV's TV-L1, DIS and Farneback, tuned for aligned faces of about 224 px and motions of 0.1 to 5 px.

The parameters come from `benchmarks/flow_warped.py --split tune`: photographs warped by known fields, with sensor
noise. The numbers in the comments are its facial endpoint errors, averaged over six magnitudes of motion. Two settings
matter most:

- **Lighting.** All three methods assume constant gray levels. A 3 % change of lighting, as from a flickering lamp,
  raises the error of TV-L1 from 0.11 to 0.75 px and that of DIS from 0.13 to 0.19 px. Frames are therefore normalized
  in local mean and contrast first, which removes the effect.
- **Resolution.** By default DIS stops at half resolution; full resolution lowers its error from 0.155 to 0.087 px.

OpenCV's objects keep state between calls, so every call creates new ones; a result depends only on its two frames.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from mer.flow.field import Field

_CONTRAST = 40.0  # gray levels per local standard deviation; 30 to 60 give the same error
_NOISE = 6.0  # gray levels; contrast below it is sensor noise, which must not be amplified on smooth skin


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
    method.setPatchStride(4)  # 3 lowers the error by 3 % but takes a third more time
    method.setGradientDescentIterations(12)  # 25 lowers the error by less than 1 %
    # Smoothness. OpenCV's default of 20 follows noise (0.089 px), 160 loses motion (0.094 px), 40 gives 0.087 px.
    method.setVariationalRefinementAlpha(40.0)
    method.setVariationalRefinementIterations(5)  # 0: 0.128 px; 10: 0.089 px
    # Motions of 20 px and more need a wide window: a narrow one removes the structure that coarse scales match. On a
    # real smile of 25 px, window 8 failed in all of 16 frames, 16 in 5 and 24 in none; up to 5 px, 8 is 2 % better.
    return _calc(method, *(_as_uint8(normalize_light(frame, window=24)) for frame in (onset, apex)))


def tvl1(onset: NDArray[np.uint8], apex: NDArray[np.uint8]) -> Field:
    """Duality-based TV-L1 (Zach, Pock & Bischof, DAGM 2007); parameters and return value as in :func:`dis`.

    Raises
    ------
    ImportError
        If OpenCV was built without its contributed modules.
    """
    require_tvl1()
    method = cv2.optflow.createOptFlow_DualTVL1()
    method.setLambda(0.1)  # weight of the data term; 0.07 and 0.3 raise the error by 5 and 30 %
    # After normalization, median filtering has no effect and few iterations suffice: OpenCV's default 10 x 30 over five
    # scales and five warps has 5 % more error and takes five times as long.
    method.setMedianFiltering(1)
    method.setOuterIterations(2)
    method.setInnerIterations(10)
    method.setWarpingsNumber(3)
    method.setScalesNumber(4)
    method.setScaleStep(0.5)
    return _calc(method, *(normalize_light(frame) / np.float32(255) for frame in (onset, apex)))


def farneback(onset: NDArray[np.uint8], apex: NDArray[np.uint8]) -> Field:
    """Polynomial expansion (Farneback, SCIA 2003); parameters and return value as in :func:`dis`."""
    # Small neighborhoods and a wide Gaussian window give 0.135 px. OpenCV's example settings (a box of 15 px, poly_n 5,
    # poly_sigma 1.2) give 0.155 px, or 0.363 px without normalization.
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
    """Raise `ImportError` with the remedy if OpenCV lacks TV-L1, which is one of its contributed modules."""
    if not (hasattr(cv2, "optflow") and hasattr(cv2.optflow, "createOptFlow_DualTVL1")):
        raise ImportError(
            "this OpenCV has no TV-L1 (cv2.optflow); opencv-python and opencv-contrib-python share a folder, so run "
            "`python -m pip uninstall -y opencv-python opencv-python-headless opencv-contrib-python` and then "
            "`python -m pip install 'opencv-contrib-python<5'`"
        )


def normalize_light(image: NDArray[np.uint8], window: float = 16.0) -> NDArray[np.float32]:
    """Normalize local brightness and contrast: gray levels `(H, W)` around 128, clipped to 0 to 255.

    A smooth change of lighting over the face, in gain or offset, cancels. `window` is the standard deviation in pixels
    of the Gaussian that computes the local mean and contrast.
    """
    gray = image if image.ndim == 2 else cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY)
    gray = gray.astype(np.float32)
    detail = gray - cv2.GaussianBlur(gray, (0, 0), window)
    contrast = np.sqrt(cv2.GaussianBlur(detail * detail, (0, 0), window) + _NOISE**2)
    return np.clip(128 + _CONTRAST * detail / contrast, 0, 255).astype(np.float32)


def _as_uint8(image: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.rint(image).astype(np.uint8)


def _calc(method: cv2.DenseOpticalFlow, onset: np.ndarray, apex: np.ndarray) -> Field:
    # No initial field: with one, even of zeros, DIS searches less at its coarsest scale.
    return np.asarray(method.calc(onset, apex, None), np.float32)  # type: ignore[call-overload]
