"""The pinhole camera, and what a real camera adds to a picture: blur, noise, compression."""

from dataclasses import dataclass

import cv2
import numpy as np

DISTANCE = 10.0  # from camera to face in interocular distances: about 90 cm, usual for a portrait


@dataclass(frozen=True, eq=False)
class Camera:
    """A pinhole at the origin that looks along z: `x = focal * X / Z + center_x`, in pixels, and likewise y."""

    focal: float
    center: tuple[float, float]

    def project(self, points: np.ndarray) -> np.ndarray:
        """Project points `(..., 3)`; the result `(..., 3)` holds x and y in pixels, and the depth z."""
        depth = points[..., 2:]
        return np.concatenate([self.focal * points[..., :2] / depth + np.asarray(self.center), depth], axis=-1)


def frame_camera(interocular: float, center: tuple[float, float]) -> Camera:
    """The camera that shows the resting face with this interocular distance, the eyes around `center`, in pixels."""
    return Camera(DISTANCE * interocular, center)


@dataclass(frozen=True)
class ImageQuality:
    """Imperfections of a camera's pictures."""

    blur: float = 0.0  # standard deviation of the Gaussian blur, pixels
    noise: float = 0.0  # standard deviation in dark areas, gray levels; up to twice as much in bright ones
    jpeg: int = 95  # quality of the compression, up to 100; applied when a picture is written


def draw_image_quality(rng: np.random.Generator, strength: float = 1.0) -> ImageQuality:
    """Draw random imperfections; `strength` multiplies blur and noise."""
    blur = float(rng.uniform(0, 0.7) * strength)
    return ImageQuality(blur if blur > 0.3 else 0.0, float(rng.uniform(0.3, 3.0) * strength), int(rng.integers(82, 97)))


def take_picture(image: np.ndarray, quality: ImageQuality, rng: np.random.Generator) -> np.ndarray:
    """Blur a rendered image (H, W, 3), add sensor noise, and round it to uint8."""
    if quality.blur:
        image = cv2.GaussianBlur(image, (0, 0), quality.blur)
    if quality.noise:
        # Half of the noise is shared by the three colors, as after demosaicing.
        noise = rng.standard_normal(image.shape, dtype=np.float32)
        noise += rng.standard_normal(image.shape[:2], dtype=np.float32)[..., None]
        image = image + noise * (0.5 * quality.noise * (1 + image.mean(axis=2, keepdims=True) / 255))
    return np.clip(image + 0.5, 0, 255).astype(np.uint8)
