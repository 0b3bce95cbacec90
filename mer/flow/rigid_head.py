"""The head's part of a facial flow: one rigid 3-D motion, fitted robustly to the field.

A head that moves without an expression is a rigid body in front of a camera, so its flow has six degrees of freedom.
With the depth of every pixel known, small motions are linear in rotation and translation (Longuet-Higgins & Prazdny,
"The interpretation of a moving retinal image", Proc. R. Soc. B 208, 1980); larger ones are reached by Gauss-Newton on
the exact projection, whose first step is that linear fit. Skin that moves on its own would pull a least-squares fit, so
residuals are reweighted at every step, and skin that expressions move most has less say from the start.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mer.face.canonical import N_LANDMARKS, canonical_landmarks
from mer.face.regions import OUTER_EYE_CORNERS, REGIONS
from mer.flow.field import Field, check_field

Array = NDArray[np.float64]

# How far the camera stands from the head, in interocular distances (outer corners, about 9 cm): 0.7 m, as recordings of
# micro-expressions are made. It sets how much more the near parts of the head move than the far ones.
CAMERA_DISTANCE = 8.0

MOVING = (
    "right_brow", "left_brow", "glabella", "right_lids", "left_lids", "right_eye", "left_eye",
    "right_cheek", "left_cheek", "mouth", "chin",
)  # fmt: skip
MOVING_WEIGHT = 0.3  # against 1 for the bridge of the nose, the temples and the sides of the face

BORDER = 0.05  # width of the soft border inside the mask, in interocular distances

_GRID = 4  # pixels between the points where the field is read for the fit
_DEPTH_GRID = 6  # pixels between the points where depth is computed, about the landmarks' own spacing at 224 px
_BANDWIDTH = 0.04  # of the interpolation between landmarks, in interocular distances: half their spacing
_STEPS = 30
_ENOUGH = 5e-3  # px: a smaller step of the fit is the last
# The scale of the residuals is taken from the quietest third of the face, since in an expression more than half of it
# may move, and a residual of 2.5 times that scale has no say. Head EPE on photographs warped by an expression of up to
# 5 px, `benchmarks/flow_warped.py --split tune`: 0.17 px, against 0.37 with the median and Tukey's usual 4.685, and
# 0.69 with least squares; 0.07 px in all cases where the expression is 0.1 px.
_QUIET = 0.3
_TUKEY = 2.5
_NOISE_FLOOR = 0.01  # px; below it a field is exact, and the worse half of its residuals are no outliers


def fit_head_flow(facial: np.ndarray, landmarks: np.ndarray, mask: np.ndarray) -> Field:
    """The head flow in a facial flow: the rigid motion that most of the face agrees on.

    Inside the mask, head flow is the flow of the rigid head. Outside it there is no face, so nothing there is an
    expression: head flow equals facial flow, and `facial - head` is zero. The two are blended over a soft border of 5 %
    of the interocular distance inside the mask, since a step at its edge would look like strain to a classifier.

    Parameters
    ----------
    facial : (H, W, 2)
        Flow from onset to apex on the onset's grid; pixels, x first.
    landmarks : (478, 3)
        The onset's face-mesh points in pixels, z in the same unit and smaller where nearer. Where all z are equal, the
        canonical face, turned to fit x and y, gives the depth.
    mask : (H, W)
        The face in the onset, nonzero inside.

    Returns
    -------
    float32 (H, W, 2)

    Raises
    ------
    ValueError
        When a shape is wrong, a value is not finite, or the mask holds too little to fit a head to.
    """
    facial, mask = check_field(facial, "facial flow"), np.asarray(mask)
    if mask.shape != facial.shape[:2]:
        raise ValueError(f"the mask is {mask.shape}, the flow {facial.shape[:2]}")
    head = RigidHead.from_landmarks(landmarks, mask.shape)
    share = soft_mask(mask, BORDER * head.interocular)
    rotation, translation = head.fit(facial, share)
    # facial + share * (rigid - facial), in the order that leaves facial untouched, bit for bit, where the share is 0.
    return facial + share[..., None] * (head.flow(rotation, translation) - facial)


@dataclass(frozen=True, eq=False)
class RigidHead:
    """A head before a camera, as the onset shows it.

    Attributes
    ----------
    depth : float32 (H, W)
        In pixels: 0 at the outer corners of the eyes, smaller where nearer.
    trust : float32 (H, W)
        How far a pixel is expected to follow the head alone, 0 to 1.
    center : float64 (2,)
        Midway between the outer corners of the eyes, x and y: where the optical axis is taken to pass.
    interocular : float
        Distance in space between the outer corners of the eyes, in pixels.
    """

    depth: NDArray[np.float32]
    trust: NDArray[np.float32]
    center: Array
    interocular: float

    @classmethod
    def from_landmarks(cls, landmarks: np.ndarray, shape: tuple[int, int]) -> RigidHead:
        """The head under landmarks `(478, 3)` in an image of `shape` `(H, W)`."""
        landmarks = _with_depth(check_landmarks(landmarks))
        corners = landmarks[list(OUTER_EYE_CORNERS)]
        center, interocular = corners.mean(axis=0), float(np.linalg.norm(corners[1] - corners[0]))
        moving = np.zeros(N_LANDMARKS, bool)
        moving[[i for region in MOVING for i in REGIONS[region]]] = True
        values = np.stack([landmarks[:, 2] - center[2], np.where(moving, MOVING_WEIGHT, 1.0)], axis=1)
        depth, trust = _interpolate(landmarks[:, :2], values, shape, _BANDWIDTH * interocular)
        return cls(depth, np.clip(trust, 0, 1), center[:2], interocular)

    def flow(self, rotation: np.ndarray, translation: np.ndarray) -> Field:
        """The exact flow `(H, W, 2)` of a rigid motion of the whole picture at this depth.

        Parameters
        ----------
        rotation : (3,)
            Axis times angle in radians, about the point between the outer corners of the eyes; axes x right, y down,
            z away from the camera.
        translation : (3,)
            In pixels at the distance of that point.
        """
        height, width = self.depth.shape
        x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
        matrix = np.asarray(cv2.Rodrigues(np.asarray(rotation, np.float64))[0])
        seen = self._project(self._points(x, y, self.depth), matrix, translation)
        return cv2.merge([seen[0] - x, seen[1] - y])

    def fit(self, facial: np.ndarray, weights: np.ndarray) -> tuple[Array, Array]:
        """The rotation and translation, as :meth:`flow` takes them, that the weighted pixels of `facial` agree on.

        Parameters
        ----------
        facial : (H, W, 2)
        weights : (H, W)
            How much each pixel counts, 0 for not at all.
        """
        height, width = self.depth.shape
        y, x = np.mgrid[_GRID // 2 : height : _GRID, _GRID // 2 : width : _GRID]
        y, x = y[weights[y, x] > 0], x[weights[y, x] > 0]
        if len(y) < 50:
            raise ValueError(f"the face mask covers {np.count_nonzero(weights)} pixels, too few to fit a head to")
        trust = (weights[y, x] * self.trust[y, x]).astype(np.float64)
        target = np.stack([x, y]) + facial[y, x].T
        points = self._points(x, y, self.depth[y, x].astype(np.float64))
        rotation, translation = np.eye(3), np.zeros(3)
        for _ in range(_STEPS):
            residual = target - self._project(points, rotation, translation)
            weight = trust * _biweight(np.hypot(*residual), trust)
            jacobian = self._jacobian(rotation @ points, translation)
            weighted = jacobian * np.tile(weight, 2)
            step = np.linalg.solve(weighted @ jacobian.T, weighted @ residual.ravel())
            rotation = cv2.Rodrigues(step[:3])[0] @ rotation
            translation = translation + step[3:]
            if max(abs(step[:3]).max() * self.interocular, abs(step[3:]).max()) < _ENOUGH:
                break
        return np.asarray(cv2.Rodrigues(rotation)[0][:, 0], np.float64), translation

    @property
    def _distance(self) -> float:
        return CAMERA_DISTANCE * self.interocular

    def _points(self, x: np.ndarray, y: np.ndarray, depth: np.ndarray) -> np.ndarray:
        """Points in space `(3, ...)` seen at pixels `x`, `y`, relative to the point between the eyes."""
        spread = 1 + depth / depth.dtype.type(self._distance)  # the farther, the farther off the axis at one pixel
        center = self.center.astype(depth.dtype)
        return np.stack([(x - center[0]) * spread, (y - center[1]) * spread, depth])

    def _project(self, points: np.ndarray, rotation: np.ndarray, translation: np.ndarray) -> np.ndarray:
        """The pixels `(2, ...)` of points `(3, ...)` after a rigid motion, in the points' precision."""
        moved = np.tensordot(rotation.astype(points.dtype), points, axes=1)
        x, y, z = (moved[i] + points.dtype.type(translation[i]) for i in range(3))
        spread = 1 + z / points.dtype.type(self._distance)
        center = self.center.astype(points.dtype)
        return np.stack([x / spread + center[0], y / spread + center[1]])

    def _jacobian(self, turned: Array, translation: Array) -> Array:
        """Of the projection by a further rotation and by the translation: `(6, 2 n)`, all of x, then all of y.

        At zero motion its rows are the six flow fields of Longuet-Higgins & Prazdny.
        """
        x, y, z = turned
        distance = self._distance
        spread = 1 + (z + translation[2]) / distance
        zero, one = np.zeros_like(x), np.ones_like(x)
        # A small rotation r moves a point by r x point.
        by_x = np.array([zero, z, -y, one, zero, zero])
        by_y = np.array([-z, zero, x, zero, one, zero])
        by_z = np.array([y, -x, zero, zero, zero, one]) / (distance * spread)
        by_x, by_y = by_x - (x + translation[0]) * by_z, by_y - (y + translation[1]) * by_z
        return np.concatenate([by_x / spread, by_y / spread], axis=1)


def soft_mask(mask: np.ndarray, width: float) -> NDArray[np.float32]:
    """`mask` as a share `(H, W)`: 0 outside, rising smoothly to 1 at `width` pixels inside its edge."""
    inside = cv2.distanceTransform((np.asarray(mask) != 0).astype(np.uint8), cv2.DIST_L2, 5)
    ramp = np.clip(inside / max(width, 1e-6), 0, 1)
    return ramp * ramp * (3 - 2 * ramp)


def check_landmarks(landmarks: np.ndarray) -> Array:
    """`landmarks` as float64 `(478, 3)`; `ValueError` for another shape, for values that are not finite, or no face."""
    landmarks = np.asarray(landmarks, dtype=np.float64)
    if landmarks.shape != (N_LANDMARKS, 3):
        raise ValueError(f"landmarks have shape {landmarks.shape}; expected ({N_LANDMARKS}, 3): x, y and z in pixels")
    if not np.isfinite(landmarks).all():
        raise ValueError("landmarks hold values that are not finite")
    right, left = landmarks[list(OUTER_EYE_CORNERS)]
    if np.linalg.norm(left - right) < 1:
        raise ValueError("the landmarks' eyes are less than a pixel apart; are they in pixels of the image?")
    return landmarks


def _with_depth(landmarks: Array) -> Array:
    """The landmarks, with the depth of the canonical face where they are flat."""
    if np.ptp(landmarks[:, 2]) > 1e-3 * np.ptp(landmarks[:, :2]):
        return landmarks
    canonical = canonical_landmarks().astype(np.float64)
    # Scaled orthography: the two rows of the affine map to the image are the axes of a scaled rotation, and the third
    # axis, along which depth is measured, is at right angles to both.
    affine = np.linalg.lstsq(np.c_[canonical, np.ones(N_LANDMARKS)], landmarks[:, :2], rcond=None)[0].T
    u, scale, v = np.linalg.svd(affine[:, :3], full_matrices=False)
    rows = u @ v
    return np.c_[landmarks[:, :2], scale.mean() * canonical @ np.cross(rows[0], rows[1])]


def _interpolate(points: Array, values: Array, shape: tuple[int, int], bandwidth: float) -> list[NDArray[np.float32]]:
    """Values `(n, k)` at `points` `(n, 2)` as k smooth maps of `shape`: around every pixel a plane is fitted to them.

    Locally linear regression with a kernel that is a product of one in x and one in y, so that all sums over the points
    are one matrix product. The kernel is a Gaussian with a low, wide foot that takes over where no point is near.
    """
    height, width = shape
    center = points.mean(axis=0)
    x, y = (points - center).T
    wide = max(4 * bandwidth, np.hypot(height, width) / 6)

    def kernel(size: int, offset: float, at: Array) -> tuple[Array, Array]:
        grid = np.arange(0.0, size + _DEPTH_GRID, _DEPTH_GRID) - offset
        square = (grid[:, None] - at) ** 2
        return grid, np.asarray(np.exp(-0.5 * square / bandwidth**2) + 1e-3 * np.exp(-0.5 * square / wide**2))

    (columns, along_x), (rows, along_y) = kernel(width, center[0], x), kernel(height, center[1], y)
    moments = np.stack([np.ones_like(x), x, y, x * x, y * y, x * y, *(m for v in values.T for m in (v, v * x, v * y))])
    sums = (along_y * moments[:, None]).reshape(-1, len(x)) @ along_x.T
    count, *means = sums.reshape(len(moments), len(rows), len(columns))
    mx, my, mxx, myy, mxy, *mv = (mean / count for mean in means)
    ridge = (0.1 * bandwidth) ** 2  # where the points near lie on one line, the plane is level across it
    xx, yy, xy = mxx - mx * mx + ridge, myy - my * my + ridge, mxy - mx * my
    grid_x, grid_y = np.meshgrid(*(np.arange(size, dtype=np.float32) / _DEPTH_GRID for size in (width, height)))
    maps = []
    for k, value in enumerate(values.T):
        mean, mvx, mvy = mv[3 * k : 3 * k + 3]
        vx, vy = mvx - mean * mx, mvy - mean * my
        rise = (vx * yy - vy * xy) * (columns - mx) + (vy * xx - vx * xy) * (rows[:, None] - my)
        plane = np.clip(mean + rise / (xx * yy - xy * xy), value.min(), value.max()).astype(np.float32)
        maps.append(np.asarray(cv2.remap(plane, grid_x, grid_y, cv2.INTER_LINEAR), np.float32))
    return maps


def _biweight(size: Array, trust: Array) -> Array:
    """Tukey's weights for residuals of length `size` `(n,)`, scaled by the quietest of them, by share of `trust`."""
    order = np.argsort(size)
    share = np.cumsum(trust[order])
    quiet = size[order][np.searchsorted(share, _QUIET * share[-1])]
    # The lengths of 2-D Gaussian vectors are Rayleigh distributed: a share q of them is below sqrt(-2 ln(1 - q)) sigma.
    scale = max(quiet / np.sqrt(-2 * np.log(1 - _QUIET)), _NOISE_FLOOR)
    return np.clip(1 - (size / (_TUKEY * scale)) ** 2, 0, None) ** 2
