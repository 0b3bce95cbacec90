"""Head flow: one rigid 3-D motion, fitted robustly to the facial flow.

A head without an expression is a rigid body in front of a camera, so its flow has six degrees of freedom. If the depth
of every pixel is known, the flow of a small motion is linear in rotation and translation (Longuet-Higgins & Prazdny,
"The interpretation of a moving retinal image", Proc. R. Soc. B 208, 1980). Larger motions are fitted by Gauss-Newton
steps on the exact projection; the first step is that linear fit. Because an expression would bias least squares,
residuals are reweighted at every step, and the regions that expressions move most start with a lower weight.
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

# Distance of the camera from the head in interocular distances (between outer eye corners, about 9 cm): 0.7 m, typical
# of recordings of micro-expressions. It determines how much more the near parts of the head move than the far ones.
CAMERA_DISTANCE = 8.0

MOVING = (
    "right_brow", "left_brow", "glabella", "right_lids", "left_lids", "right_eye", "left_eye",
    "right_cheek", "left_cheek", "mouth", "chin",
)  # fmt: skip
MOVING_WEIGHT = 0.3  # the nose bridge, the temples and the sides of the face have weight 1

BORDER = 0.05  # width of the soft border inside the mask, in interocular distances

_FIT_SPACING = 4  # pixels between the samples of the field that are fitted
_DEPTH_SPACING = 6  # pixels between computed depth values, about the spacing of the landmarks at 224 px
_BANDWIDTH = 0.04  # of the interpolation between landmarks, in interocular distances: half their spacing
_MAX_STEPS = 30
_TOLERANCE = 5e-3  # px; the fit ends with a step below this size
# An expression may move more than half of the face, so the scale of the residuals is taken from the calmest 30 % of it;
# residuals above 2.5 times that scale get weight 0. Endpoint error of the head flow on photographs warped by an
# expression of up to 5 px (`benchmarks/flow_warped.py --split tune`): 0.17 px, compared with 0.37 px for the median and
# Tukey's usual 4.685, and 0.69 px for least squares. For an expression of 0.1 px, all three give 0.07 px.
_CALM_SHARE = 0.3
_TUKEY = 2.5
_NOISE_FLOOR = 0.01  # px; the least scale, so that an exact field has no outliers


def fit_head_flow(facial: np.ndarray, landmarks: np.ndarray, mask: np.ndarray) -> Field:
    """Estimate head flow: the rigid motion that explains most of the facial flow.

    Inside the mask, head flow is the flow of the rigid head. Outside it, head flow equals facial flow, so that the
    expression flow `facial - head` is zero. The two are blended over a soft border inside the mask, 5 % of the
    interocular distance wide, because a step at its edge would look like strain.

    Parameters
    ----------
    facial : (H, W, 2)
        Flow from onset to apex on the onset's grid, in pixels, x first.
    landmarks : (478, 3)
        Face-mesh landmarks of the onset in pixels; z has the same unit and increases away from the camera. If all z are
        equal, the canonical face, rotated to fit x and y, provides the depth.
    mask : (H, W)
        Nonzero inside the face of the onset.

    Returns
    -------
    float32 (H, W, 2)

    Raises
    ------
    ValueError
        If a shape is wrong, a value is not finite, or the mask is too small for a fit.
    """
    facial, mask = check_field(facial, "facial flow"), np.asarray(mask)
    if mask.shape != facial.shape[:2]:
        raise ValueError(f"the mask is {mask.shape} but the flow is {facial.shape[:2]}")
    head = RigidHead.from_landmarks(landmarks, mask.shape)
    share = soft_mask(mask, BORDER * head.interocular)
    rotation, translation = head.fit(facial, share)
    # Written so that the result equals `facial` bit for bit where the share is 0.
    return facial + share[..., None] * (head.flow(rotation, translation) - facial)


@dataclass(frozen=True, eq=False)
class RigidHead:
    """Rigid model of the head in the onset.

    Attributes
    ----------
    depth : float32 (H, W)
        In pixels; 0 at the outer eye corners, increasing away from the camera.
    trust : float32 (H, W)
        Prior weight of each pixel in the fit, 0 to 1: low where expressions move the skin.
    center : float64 (2,)
        Midpoint between the outer eye corners, x and y; the optical axis is assumed to pass through it.
    interocular : float
        3-D distance between the outer eye corners, in pixels.
    """

    depth: NDArray[np.float32]
    trust: NDArray[np.float32]
    center: Array
    interocular: float

    @classmethod
    def from_landmarks(cls, landmarks: np.ndarray, shape: tuple[int, int]) -> RigidHead:
        """Build the model from landmarks `(478, 3)` for an image of `shape` `(H, W)`."""
        landmarks = _with_depth(check_landmarks(landmarks))
        corners = landmarks[list(OUTER_EYE_CORNERS)]
        center, interocular = corners.mean(axis=0), float(np.linalg.norm(corners[1] - corners[0]))
        moving = np.zeros(N_LANDMARKS, bool)
        moving[[i for region in MOVING for i in REGIONS[region]]] = True
        values = np.stack([landmarks[:, 2] - center[2], np.where(moving, MOVING_WEIGHT, 1.0)], axis=1)
        depth, trust = _interpolate(landmarks[:, :2], values, shape, _BANDWIDTH * interocular)
        return cls(depth, np.clip(trust, 0, 1), center[:2], interocular)

    def flow(self, rotation: np.ndarray, translation: np.ndarray) -> Field:
        """Exact flow `(H, W, 2)` of a rigid motion.

        Parameters
        ----------
        rotation : (3,)
            Axis times angle in radians, about the midpoint between the outer eye corners. The axes are x right, y down
            and z away from the camera.
        translation : (3,)
            In pixels at the depth of that midpoint.
        """
        height, width = self.depth.shape
        x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
        matrix = np.asarray(cv2.Rodrigues(np.asarray(rotation, np.float64))[0])
        projected = self._project(self._points(x, y, self.depth), matrix, translation)
        return cv2.merge([projected[0] - x, projected[1] - y])

    def fit(self, facial: np.ndarray, weights: np.ndarray) -> tuple[Array, Array]:
        """Robustly fit rotation `(3,)` and translation `(3,)`, as defined in :meth:`flow`.

        Parameters
        ----------
        facial : (H, W, 2)
        weights : (H, W)
            Weight of each pixel; pixels of weight 0 are ignored.
        """
        height, width = self.depth.shape
        y, x = np.mgrid[_FIT_SPACING // 2 : height : _FIT_SPACING, _FIT_SPACING // 2 : width : _FIT_SPACING]
        y, x = y[weights[y, x] > 0], x[weights[y, x] > 0]
        if len(y) < 50:
            raise ValueError(f"the face mask covers {np.count_nonzero(weights)} pixels, too few to fit a head to")
        trust = (weights[y, x] * self.trust[y, x]).astype(np.float64)
        target = np.stack([x, y]) + facial[y, x].T
        points = self._points(x, y, self.depth[y, x].astype(np.float64))
        rotation, translation = np.eye(3), np.zeros(3)
        for _ in range(_MAX_STEPS):
            residual = target - self._project(points, rotation, translation)
            weight = trust * _biweight(np.hypot(*residual), trust)
            jacobian = self._jacobian(rotation @ points, translation)
            weighted = jacobian * np.tile(weight, 2)
            step = np.linalg.solve(weighted @ jacobian.T, weighted @ residual.ravel())
            rotation = cv2.Rodrigues(step[:3])[0] @ rotation
            translation = translation + step[3:]
            if max(abs(step[:3]).max() * self.interocular, abs(step[3:]).max()) < _TOLERANCE:
                break
        return np.asarray(cv2.Rodrigues(rotation)[0][:, 0], np.float64), translation

    @property
    def _distance(self) -> float:
        return CAMERA_DISTANCE * self.interocular

    def _points(self, x: np.ndarray, y: np.ndarray, depth: np.ndarray) -> np.ndarray:
        """3-D points `(3, ...)` seen at pixels `x`, `y`, relative to the midpoint between the eyes."""
        spread = 1 + depth / depth.dtype.type(self._distance)
        center = self.center.astype(depth.dtype)
        return np.stack([(x - center[0]) * spread, (y - center[1]) * spread, depth])

    def _project(self, points: np.ndarray, rotation: np.ndarray, translation: np.ndarray) -> np.ndarray:
        """Project points `(3, ...)` to pixels `(2, ...)` after a rigid motion; the dtype stays that of the points."""
        moved = np.tensordot(rotation.astype(points.dtype), points, axes=1)
        x, y, z = (moved[i] + points.dtype.type(translation[i]) for i in range(3))
        spread = 1 + z / points.dtype.type(self._distance)
        center = self.center.astype(points.dtype)
        return np.stack([x / spread + center[0], y / spread + center[1]])

    def _jacobian(self, turned: Array, translation: Array) -> Array:
        """Jacobian `(6, 2 n)` of the projected x and then y with respect to a further rotation and the translation.

        At zero motion, its rows are the six flow fields of Longuet-Higgins & Prazdny.
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
    """Soft version of `mask`, `(H, W)`: 0 outside, rising smoothly to 1 at `width` pixels inside its edge."""
    inside = cv2.distanceTransform((np.asarray(mask) != 0).astype(np.uint8), cv2.DIST_L2, 5)
    ramp = np.clip(inside / max(width, 1e-6), 0, 1)
    return ramp * ramp * (3 - 2 * ramp)


def check_landmarks(landmarks: np.ndarray) -> Array:
    """Return `landmarks` as float64 `(478, 3)`; `ValueError` if they are not finite landmarks of a face in pixels."""
    landmarks = np.asarray(landmarks, dtype=np.float64)
    if landmarks.shape != (N_LANDMARKS, 3):
        raise ValueError(f"landmarks have shape {landmarks.shape}; expected ({N_LANDMARKS}, 3): x, y and z in pixels")
    if not np.isfinite(landmarks).all():
        raise ValueError("landmarks have values that are not finite")
    right, left = landmarks[list(OUTER_EYE_CORNERS)]
    if np.linalg.norm(left - right) < 1:
        raise ValueError("the eyes of the landmarks are less than a pixel apart; pass landmarks in pixels of the image")
    return landmarks


def _with_depth(landmarks: Array) -> Array:
    """The landmarks; if all z are equal, z comes from the canonical face."""
    if np.ptp(landmarks[:, 2]) > 1e-3 * np.ptp(landmarks[:, :2]):
        return landmarks
    canonical = canonical_landmarks().astype(np.float64)
    # Scaled orthography: the rows of the affine map are two axes of a scaled rotation; depth is measured along the
    # third.
    affine = np.linalg.lstsq(np.c_[canonical, np.ones(N_LANDMARKS)], landmarks[:, :2], rcond=None)[0].T
    u, scale, v = np.linalg.svd(affine[:, :3], full_matrices=False)
    rows = u @ v
    return np.c_[landmarks[:, :2], scale.mean() * canonical @ np.cross(rows[0], rows[1])]


def _interpolate(points: Array, values: Array, shape: tuple[int, int], bandwidth: float) -> list[NDArray[np.float32]]:
    """Interpolate values `(n, k)` at `points` `(n, 2)` by locally linear regression; returns k maps of `shape`.

    The kernel is separable in x and y, so one matrix product computes all sums over the points. In each axis it is a
    Gaussian plus a faint, wider Gaussian that takes over far from all points. SciPy's LinearNDInterpolator has kinks
    and does not extrapolate.
    """
    height, width = shape
    center = points.mean(axis=0)
    x, y = (points - center).T
    wide = max(4 * bandwidth, np.hypot(height, width) / 6)

    def kernel(size: int, offset: float, at: Array) -> tuple[Array, Array]:
        grid = np.arange(0.0, size + _DEPTH_SPACING, _DEPTH_SPACING) - offset
        square = (grid[:, None] - at) ** 2
        return grid, np.asarray(np.exp(-0.5 * square / bandwidth**2) + 1e-3 * np.exp(-0.5 * square / wide**2))

    (columns, along_x), (rows, along_y) = kernel(width, center[0], x), kernel(height, center[1], y)
    moments = np.stack([np.ones_like(x), x, y, x * x, y * y, x * y, *(m for v in values.T for m in (v, v * x, v * y))])
    sums = (along_y * moments[:, None]).reshape(-1, len(x)) @ along_x.T
    count, *means = sums.reshape(len(moments), len(rows), len(columns))
    mx, my, mxx, myy, mxy, *mv = (mean / count for mean in means)
    ridge = (0.1 * bandwidth) ** 2  # keeps the fitted plane level across a line of points
    xx, yy, xy = mxx - mx * mx + ridge, myy - my * my + ridge, mxy - mx * my
    grid_x, grid_y = np.meshgrid(*(np.arange(size, dtype=np.float32) / _DEPTH_SPACING for size in (width, height)))
    maps = []
    for k, value in enumerate(values.T):
        mean, mvx, mvy = mv[3 * k : 3 * k + 3]
        vx, vy = mvx - mean * mx, mvy - mean * my
        rise = (vx * yy - vy * xy) * (columns - mx) + (vy * xx - vx * xy) * (rows[:, None] - my)
        plane = np.clip(mean + rise / (xx * yy - xy * xy), value.min(), value.max()).astype(np.float32)
        maps.append(np.asarray(cv2.remap(plane, grid_x, grid_y, cv2.INTER_LINEAR), np.float32))
    return maps


def _biweight(size: Array, trust: Array) -> Array:
    """Tukey's biweights of residuals with lengths `size` `(n,)`.

    The scale comes from the quantile `_CALM_SHARE` of the lengths, weighted by `trust`.
    """
    order = np.argsort(size)
    share = np.cumsum(trust[order])
    quantile = size[order][np.searchsorted(share, _CALM_SHARE * share[-1])]
    # The lengths of 2-D Gaussian vectors are Rayleigh distributed: their q-quantile is sqrt(-2 ln(1 - q)) sigma.
    scale = max(quantile / np.sqrt(-2 * np.log(1 - _CALM_SHARE)), _NOISE_FLOOR)
    return np.clip(1 - (size / (_TUKEY * scale)) ** 2, 0, None) ** 2
