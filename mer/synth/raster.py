"""The one renderer that everything stands on: which triangle each pixel sees, where in it, and what it looks like.

Pixel `(x, y)` is the point with those coordinates, so the middle of the top left pixel is `(0, 0)`.
"""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def rasterize(points: np.ndarray, triangles: np.ndarray, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Find the nearest triangle at every pixel, and the place in it.

    Parameters
    ----------
    points : float64 (V, 3)
        Projected vertices: x, y in pixels, and the depth in front of the camera. A triangle with a vertex at depth 0 or
        less is left out.
    triangles : int (T, 3)
    height, width : int

    Returns
    -------
    index : int32 (height, width)
        The triangle, -1 where there is none.
    weights : float64 (height, width, 3)
        Perspective-correct barycentric weights: the surface point is `weights @ vertices[triangle]` in space.
    """
    index = np.full((height, width), -1, np.int32)
    weights = np.zeros((height, width, 3))
    nearest = np.zeros((height, width))  # 1 / depth, which is linear on the screen
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        if points[a, 2] <= 0 or points[b, 2] <= 0 or points[c, 2] <= 0:
            continue
        ax, ay, bx, by, cx, cy = points[a, 0], points[a, 1], points[b, 0], points[b, 1], points[c, 0], points[c, 1]
        area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
        if area == 0.0:
            continue
        x0, x1 = max(int(np.ceil(min(ax, bx, cx))), 0), min(int(np.floor(max(ax, bx, cx))), width - 1)
        y0, y1 = max(int(np.ceil(min(ay, by, cy))), 0), min(int(np.floor(max(ay, by, cy))), height - 1)
        ia, ib, ic = 1.0 / points[a, 2], 1.0 / points[b, 2], 1.0 / points[c, 2]
        for y in range(y0, y1 + 1):
            for x in range(x0, x1 + 1):
                u = ((bx - x) * (cy - y) - (cx - x) * (by - y)) / area
                v = ((cx - x) * (ay - y) - (ax - x) * (cy - y)) / area
                w = 1.0 - u - v
                if u < 0 or v < 0 or w < 0:
                    continue
                inverse = u * ia + v * ib + w * ic
                if inverse > nearest[y, x]:
                    nearest[y, x] = inverse
                    index[y, x] = t
                    weights[y, x, 0] = u * ia / inverse
                    weights[y, x, 1] = v * ib / inverse
                    weights[y, x, 2] = w * ic / inverse
    return index, weights


@njit(cache=True, nogil=True)
def interpolate(values: np.ndarray, triangles: np.ndarray, index: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Values of the vertices, `(V, n)`, at every pixel, `(height, width, n)`; 0 where no triangle is seen."""
    height, width = index.shape
    count = values.shape[1]
    out = np.zeros((height, width, count))
    for y in range(height):
        for x in range(width):
            t = index[y, x]
            if t >= 0:
                a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
                for k in range(count):
                    out[y, x, k] = (
                        weights[y, x, 0] * values[a, k] + weights[y, x, 1] * values[b, k] + weights[y, x, 2] * values[c, k]
                    )
    return out


@njit(cache=True, nogil=True, fastmath=True)
def sample(texture: np.ndarray, places: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Read a texture between its pixels, with Catmull-Rom cubics, exactly and not on a grid of 1/32 pixel.

    Parameters
    ----------
    texture : float32 (h, w, channels)
    places : float64 (height, width, 2)
        x, y in pixels of the texture; its edge is repeated outside.
    inside : bool (height, width)
        Pixels to read; the others are 0.

    Returns
    -------
    float32 (height, width, channels)
    """
    height, width = inside.shape
    h, w, channels = texture.shape
    out = np.zeros((height, width, channels), np.float32)
    wx, wy = np.zeros(4, np.float32), np.zeros(4, np.float32)
    for y in range(height):
        for x in range(width):
            if not inside[y, x]:
                continue
            px, py = places[y, x, 0], places[y, x, 1]
            ix, iy = int(np.floor(px)), int(np.floor(py))
            _cubic(px - ix, wx)
            _cubic(py - iy, wy)
            for j in range(4):
                row = min(max(iy + j - 1, 0), h - 1)
                for i in range(4):
                    column = min(max(ix + i - 1, 0), w - 1)
                    weight = wx[i] * wy[j]
                    for k in range(channels):
                        out[y, x, k] += weight * texture[row, column, k]
    return out


@njit(cache=True, nogil=True, fastmath=True, inline="always")
def _cubic(f: float, weights: np.ndarray) -> None:
    weights[0] = ((-0.5 * f + 1.0) * f - 0.5) * f
    weights[1] = (1.5 * f - 2.5) * f * f + 1.0
    weights[2] = ((-1.5 * f + 2.0) * f + 0.5) * f
    weights[3] = (0.5 * f - 0.5) * f * f
