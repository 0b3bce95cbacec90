"""The one renderer that everything stands on: which triangle each pixel sees, where in it, and what it looks like.

Pixel `(x, y)` is the point with those coordinates, so the middle of the top left pixel is `(0, 0)`.
"""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def cover(points: np.ndarray, triangles: np.ndarray, height: int, width: int) -> np.ndarray:
    """The nearest triangle at every pixel, int32 (height, width), -1 where there is none.

    Parameters
    ----------
    points : float64 (V, 3)
        Projected vertices: x, y in pixels, and the depth in front of the camera. A triangle with a vertex at depth 0 or
        less is left out.
    triangles : int (T, 3)
    height, width : int
    """
    index = np.full((height, width), -1, np.int32)
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
        # Along a row, the weights and 1 / depth change by equal steps.
        du, dv = (by - cy) / area, (cy - ay) / area
        step = du * (ia - ic) + dv * (ib - ic)
        for y in range(y0, y1 + 1):
            u = ((bx - x0) * (cy - y) - (cx - x0) * (by - y)) / area
            v = ((cx - x0) * (ay - y) - (ax - x0) * (cy - y)) / area
            inverse = u * ia + v * ib + (1.0 - u - v) * ic
            for x in range(x0, x1 + 1):
                if u >= 0.0 and v >= 0.0 and u + v <= 1.0 and inverse > nearest[y, x]:
                    nearest[y, x] = inverse
                    index[y, x] = t
                u += du
                v += dv
                inverse += step
    return index


@njit(cache=True, nogil=True, inline="always")
def _weights(points: np.ndarray, a: int, b: int, c: int, x: float, y: float) -> tuple[float, float, float]:
    """Perspective-correct barycentric weights of the surface point that pixel `(x, y)` sees."""
    ax, ay, bx, by, cx, cy = points[a, 0], points[a, 1], points[b, 0], points[b, 1], points[c, 0], points[c, 1]
    u = ((bx - x) * (cy - y) - (cx - x) * (by - y)) / points[a, 2]
    v = ((cx - x) * (ay - y) - (ax - x) * (cy - y)) / points[b, 2]
    w = ((ax - x) * (by - y) - (bx - x) * (ay - y)) / points[c, 2]
    total = u + v + w
    return u / total, v / total, w / total


@njit(cache=True, nogil=True)
def rasterize(points: np.ndarray, triangles: np.ndarray, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Find the nearest triangle at every pixel, and the place in it.

    Returns
    -------
    index : int32 (height, width)
        As from :func:`cover`.
    weights : float64 (height, width, 3)
        Perspective-correct barycentric weights: the surface point is `weights @ vertices[triangle]` in space.
    """
    index = cover(points, triangles, height, width)
    weights = np.zeros((height, width, 3))
    for y in range(height):
        for x in range(width):
            t = index[y, x]
            if t >= 0:
                a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
                weights[y, x, 0], weights[y, x, 1], weights[y, x, 2] = _weights(points, a, b, c, x, y)
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
                        weights[y, x, 0] * values[a, k]
                        + weights[y, x, 1] * values[b, k]
                        + weights[y, x, 2] * values[c, k]
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


@njit(cache=True, nogil=True)
def paint(
    points: np.ndarray,
    triangles: np.ndarray,
    index: np.ndarray,
    looks: np.ndarray,
    texture: np.ndarray,
    behind: np.ndarray,
) -> np.ndarray:
    """The picture, from what each of 2 x 2 rays through each pixel meets.

    Where all four meet one smooth piece of surface, the texture is read once in their middle; along edges, it is read
    for each.

    Parameters
    ----------
    points : float64 (V, 3)
        Projected on a screen of twice the size.
    triangles : int (T, 3)
    index : int32 (2 height, 2 width)
        From :func:`cover`.
    looks : float64 (V, 3)
        x, y in the texture, and the light.
    texture : float32 (h, w, 4)
        Red, green, blue and opacity, 0 to 255.
    behind : uint8 (height, width, 3)

    Returns
    -------
    float32 (height, width, 3)
    """
    height, width = behind.shape[:2]
    out = np.zeros((height, width, 3), np.float32)
    color, wx, wy = np.zeros(4, np.float32), np.zeros(4, np.float32), np.zeros(4, np.float32)
    tx, ty, light = np.zeros(4), np.zeros(4), np.zeros(4)
    hit = np.zeros(4, np.bool_)
    for y in range(height):
        for x in range(width):
            hits = 0
            for k in range(4):
                sx, sy = 2 * x + k % 2, 2 * y + k // 2
                t = index[sy, sx]
                hit[k] = t >= 0
                if t >= 0:
                    hits += 1
                    a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
                    u, v, w = _weights(points, a, b, c, sx, sy)
                    tx[k] = u * looks[a, 0] + v * looks[b, 0] + w * looks[c, 0]
                    ty[k] = u * looks[a, 1] + v * looks[b, 1] + w * looks[c, 1]
                    light[k] = u * looks[a, 2] + v * looks[b, 2] + w * looks[c, 2]
            if hits == 0:
                for n in range(3):
                    out[y, x, n] = behind[y, x, n]
                continue
            # On one smooth piece the middle of either diagonal is the same place in the texture.
            smooth = hits == 4 and abs(tx[0] + tx[3] - tx[1] - tx[2]) + abs(ty[0] + ty[3] - ty[1] - ty[2]) < 0.35
            smooth = smooth and abs(tx[0] - tx[3]) + abs(ty[0] - ty[3]) < 6.0
            if smooth:
                _read(texture, 0.25 * tx.sum(), 0.25 * ty.sum(), wx, wy, color)
                share = min(max(color[3] / 255.0, 0.0), 1.0)
                for n in range(3):
                    out[y, x, n] = share * color[n] * 0.25 * light.sum() + (1.0 - share) * behind[y, x, n]
                continue
            for k in range(4):
                if not hit[k]:
                    for n in range(3):
                        out[y, x, n] += 0.25 * behind[y, x, n]
                    continue
                _read(texture, tx[k], ty[k], wx, wy, color)
                share = min(max(color[3] / 255.0, 0.0), 1.0)
                for n in range(3):
                    out[y, x, n] += 0.25 * (share * color[n] * light[k] + (1.0 - share) * behind[y, x, n])
    return out


@njit(cache=True, nogil=True)
def opacity(
    points: np.ndarray, triangles: np.ndarray, index: np.ndarray, places: np.ndarray, texture: np.ndarray
) -> np.ndarray:
    """Bool (height, width): where something opaque is seen, by the texture's fourth channel, between its pixels."""
    height, width = index.shape
    h, w = texture.shape[:2]
    out = np.zeros((height, width), np.bool_)
    for y in range(height):
        for x in range(width):
            t = index[y, x]
            if t < 0:
                continue
            a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
            u, v, q = _weights(points, a, b, c, x, y)
            px = min(max(u * places[a, 0] + v * places[b, 0] + q * places[c, 0], 0.0), w - 1.001)
            py = min(max(u * places[a, 1] + v * places[b, 1] + q * places[c, 1], 0.0), h - 1.001)
            i, j = int(px), int(py)
            fx, fy = px - i, py - j
            top = (1 - fx) * texture[j, i, 3] + fx * texture[j, i + 1, 3]
            bottom = (1 - fx) * texture[j + 1, i, 3] + fx * texture[j + 1, i + 1, 3]
            out[y, x] = (1 - fy) * top + fy * bottom >= 127.5
    return out


@njit(cache=True, nogil=True)
def displace(
    start: np.ndarray, end: np.ndarray, triangles: np.ndarray, index: np.ndarray, weights: np.ndarray, focal: float
) -> np.ndarray:
    """How the surface point at each pixel moves on the screen when vertices go from `start` to `end`, (height, width,
    3).

    x, y in pixels, then the depth of the point in the end; 0 where no triangle is seen. Vertices are in the camera's
    space, `(V, 3)`. Vertices that do not move give exactly 0.
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


@njit(cache=True, nogil=True, fastmath=True, inline="always")
def _read(texture: np.ndarray, px: float, py: float, wx: np.ndarray, wy: np.ndarray, color: np.ndarray) -> None:
    """The texture's four channels at a place, with Catmull-Rom cubics; its edge is repeated outside."""
    h, w = texture.shape[:2]
    ix, iy = int(np.floor(px)), int(np.floor(py))
    _cubic(px - ix, wx)
    _cubic(py - iy, wy)
    color[:] = 0
    for j in range(4):
        row = min(max(iy + j - 1, 0), h - 1)
        for i in range(4):
            column = min(max(ix + i - 1, 0), w - 1)
            weight = wx[i] * wy[j]
            for k in range(4):
                color[k] += weight * texture[row, column, k]


@njit(cache=True, nogil=True, fastmath=True, inline="always")
def _cubic(f: float, weights: np.ndarray) -> None:
    weights[0] = ((-0.5 * f + 1.0) * f - 0.5) * f
    weights[1] = (1.5 * f - 2.5) * f * f + 1.0
    weights[2] = ((-1.5 * f + 2.0) * f + 0.5) * f
    weights[3] = (0.5 * f - 0.5) * f * f
