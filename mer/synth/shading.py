"""Texture lookup and shading of the pixels that the rasterizer found."""

import numpy as np
from numba import njit

from mer.synth.raster import barycentric


@njit(cache=True, nogil=True)
def shade_pixels(
    points: np.ndarray,
    triangles: np.ndarray,
    index: np.ndarray,
    uv_light: np.ndarray,
    texture: np.ndarray,
    background: np.ndarray,
) -> np.ndarray:
    """Color every pixel from 2 x 2 rays through it: float32 (height, width, 3).

    Where all four rays hit one smooth piece of surface, the texture is read once, in their middle; along edges it is
    read for each ray. `points` are projected on a screen of twice the size, and `index` (2 height, 2 width) is that of
    :func:`mer.synth.raster.visible_triangles` there. `uv_light` (V, 3) holds texture coordinates, pixels, and a factor
    of brightness; `texture` is float32 (h, w, 4), `background` uint8 (height, width, 3).
    """
    height, width = background.shape[:2]
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
                    u, v, w = barycentric(points, a, b, c, sx, sy)
                    tx[k] = u * uv_light[a, 0] + v * uv_light[b, 0] + w * uv_light[c, 0]
                    ty[k] = u * uv_light[a, 1] + v * uv_light[b, 1] + w * uv_light[c, 1]
                    light[k] = u * uv_light[a, 2] + v * uv_light[b, 2] + w * uv_light[c, 2]
            if hits == 0:
                for n in range(3):
                    out[y, x, n] = background[y, x, n]
                continue
            # On a smooth piece, both diagonals have the same midpoint in the texture.
            smooth = hits == 4 and abs(tx[0] + tx[3] - tx[1] - tx[2]) + abs(ty[0] + ty[3] - ty[1] - ty[2]) < 0.35
            smooth = smooth and abs(tx[0] - tx[3]) + abs(ty[0] - ty[3]) < 6.0
            if smooth:
                sample_texture(texture, 0.25 * tx.sum(), 0.25 * ty.sum(), wx, wy, color)
                alpha = min(max(color[3] / 255.0, 0.0), 1.0)
                for n in range(3):
                    out[y, x, n] = alpha * color[n] * 0.25 * light.sum() + (1.0 - alpha) * background[y, x, n]
                continue
            for k in range(4):
                if not hit[k]:
                    for n in range(3):
                        out[y, x, n] += 0.25 * background[y, x, n]
                    continue
                sample_texture(texture, tx[k], ty[k], wx, wy, color)
                alpha = min(max(color[3] / 255.0, 0.0), 1.0)
                for n in range(3):
                    out[y, x, n] += 0.25 * (alpha * color[n] * light[k] + (1.0 - alpha) * background[y, x, n])
    return out


@njit(cache=True, nogil=True)
def opaque_pixels(
    points: np.ndarray, triangles: np.ndarray, index: np.ndarray, uv: np.ndarray, texture: np.ndarray
) -> np.ndarray:
    """Bool (height, width): where the texture's opacity, bilinearly interpolated, is at least one half."""
    height, width = index.shape
    h, w = texture.shape[:2]
    out = np.zeros((height, width), np.bool_)
    for y in range(height):
        for x in range(width):
            t = index[y, x]
            if t < 0:
                continue
            a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
            u, v, q = barycentric(points, a, b, c, x, y)
            px = min(max(u * uv[a, 0] + v * uv[b, 0] + q * uv[c, 0], 0.0), w - 1.001)
            py = min(max(u * uv[a, 1] + v * uv[b, 1] + q * uv[c, 1], 0.0), h - 1.001)
            i, j = int(px), int(py)
            fx, fy = px - i, py - j
            top = (1 - fx) * texture[j, i, 3] + fx * texture[j, i + 1, 3]
            bottom = (1 - fx) * texture[j + 1, i, 3] + fx * texture[j + 1, i + 1, 3]
            out[y, x] = (1 - fy) * top + fy * bottom >= 127.5
    return out


@njit(cache=True, nogil=True, fastmath=True, inline="always")
def sample_texture(
    texture: np.ndarray, px: float, py: float, wx: np.ndarray, wy: np.ndarray, color: np.ndarray
) -> None:
    """Read a texture (h, w, 4) at a point between its pixels, with Catmull-Rom cubics, into `color`, float32 (4,).

    Unlike :func:`cv2.remap`, the coordinates are not rounded to 1/32 pixel. The edge of the texture is repeated
    outside. `wx` and `wy`, float32 (4,), are scratch space.
    """
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
    """Weights of the four pixels around a point at the fraction `f` between the middle two."""
    weights[0] = ((-0.5 * f + 1.0) * f - 0.5) * f
    weights[1] = (1.5 * f - 2.5) * f * f + 1.0
    weights[2] = ((-1.5 * f + 2.0) * f + 0.5) * f
    weights[3] = (0.5 * f - 0.5) * f * f
