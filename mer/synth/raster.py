"""A z-buffer rasterizer: the triangle that each pixel sees, the position in it, and how that point moves.

The center of pixel `(x, y)` has these coordinates, so the center of the top left pixel is `(0, 0)`. This is numba code
instead of OpenGL because flow labels need the exact surface point behind each pixel, and drivers round differently.
"""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def visible_triangles(points: np.ndarray, triangles: np.ndarray, height: int, width: int) -> np.ndarray:
    """The number of the nearest triangle at every pixel, int32 (height, width); -1 if there is none.

    `points (V, 3)` are projected vertices: x and y in pixels, and the depth. Triangles with a vertex at depth 0 or less
    are omitted.
    """
    index = np.full((height, width), -1, np.int32)
    z_buffer = np.zeros((height, width))  # of 1 / depth, which is linear on the screen
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
        # Along a row, the barycentric weights and 1 / depth change by constant steps.
        du, dv = (by - cy) / area, (cy - ay) / area
        step = du * (ia - ic) + dv * (ib - ic)
        for y in range(y0, y1 + 1):
            u = ((bx - x0) * (cy - y) - (cx - x0) * (by - y)) / area
            v = ((cx - x0) * (ay - y) - (ax - x0) * (cy - y)) / area
            inverse = u * ia + v * ib + (1.0 - u - v) * ic
            for x in range(x0, x1 + 1):
                if u >= 0.0 and v >= 0.0 and u + v <= 1.0 and inverse > z_buffer[y, x]:
                    z_buffer[y, x] = inverse
                    index[y, x] = t
                u += du
                v += dv
                inverse += step
    return index


@njit(cache=True, nogil=True, inline="always")
def barycentric(points: np.ndarray, a: int, b: int, c: int, x: float, y: float) -> tuple[float, float, float]:
    """Perspective-correct barycentric weights of pixel `(x, y)` in the triangle of vertices a, b, c."""
    # After a change here, delete numba's cache of shading.py, which does not notice it.
    ax, ay, bx, by, cx, cy = points[a, 0], points[a, 1], points[b, 0], points[b, 1], points[c, 0], points[c, 1]
    u = ((bx - x) * (cy - y) - (cx - x) * (by - y)) / points[a, 2]
    v = ((cx - x) * (ay - y) - (ax - x) * (cy - y)) / points[b, 2]
    w = ((ax - x) * (by - y) - (bx - x) * (ay - y)) / points[c, 2]
    total = u + v + w
    return u / total, v / total, w / total


@njit(cache=True, nogil=True)
def rasterize(points: np.ndarray, triangles: np.ndarray, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """:func:`visible_triangles` and the perspective-correct barycentric weights, float64 (height, width, 3).

    The surface point at a pixel is `weights @ vertices[triangle]` in space.
    """
    index = visible_triangles(points, triangles, height, width)
    weights = np.zeros((height, width, 3))
    for y in range(height):
        for x in range(width):
            t = index[y, x]
            if t >= 0:
                a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
                weights[y, x, 0], weights[y, x, 1], weights[y, x, 2] = barycentric(points, a, b, c, x, y)
    return index, weights


@njit(cache=True, nogil=True)
def interpolate(values: np.ndarray, triangles: np.ndarray, index: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Interpolate vertex values `(V, n)` at every pixel, `(height, width, n)`; 0 where no triangle is visible."""
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
                        weights[y, x, 0] * values[a, k]
                        + weights[y, x, 1] * values[b, k]
                        + weights[y, x, 2] * values[c, k]
                    )
    return out


@njit(cache=True, nogil=True)
def screen_motion(
    start: np.ndarray, end: np.ndarray, triangles: np.ndarray, index: np.ndarray, weights: np.ndarray, focal: float
) -> np.ndarray:
    """Motion of the surface point at each pixel if the vertices `(V, 3)`, in camera space, move from `start` to `end`.

    `index` and `weights` are those of :func:`rasterize` at `start`. Returns float64 (height, width, 3): motion in x and
    y, pixels, exactly 0 if the vertices do not move, and the depth at `end`; 0 without a triangle.
    """
    height, width = index.shape
    out = np.zeros((height, width, 3))
    p, q = np.zeros(3), np.zeros(3)
    for y in range(height):
        for x in range(width):
            t = index[y, x]
            if t < 0:
                continue
            a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
            u, v, w = weights[y, x, 0], weights[y, x, 1], weights[y, x, 2]
            for k in range(3):
                p[k] = u * start[a, k] + v * start[b, k] + w * start[c, k]
                q[k] = u * end[a, k] + v * end[b, k] + w * end[c, k]
            out[y, x, 0] = focal * (q[0] / q[2]) - focal * (p[0] / p[2])
            out[y, x, 1] = focal * (q[1] / q[2]) - focal * (p[1] / p[2])
            out[y, x, 2] = q[2]
    return out
