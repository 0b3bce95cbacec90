"""Compute the statistical skin model mer/synth/skin.npz from generated faces.

    python benchmarks/synth_skin.py assets/faces/sfhq assets/faces/sfhq_t2i

Faces that are turned, dark, gray or lit from one side, or have an open mouth or closed eyes, are left out, and so is
the third that the modes explain worst: glasses, hats and hands. Each face is warped to the mean landmarks; the modes
are the joint principal components of brightness and color.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from mer.face.canonical import mirrored_landmarks
from mer.face.regions import OVAL
from mer.synth.fit import similarity
from mer.synth.portrait import PICTURE_SUFFIXES, SIZE, frame_portrait, listed_landmarks, portrait_fault
from mer.synth.skin import BRIGHTNESS_SCALE, COLOR_SCALE, warp_map

MODES, SHAPE_MODES = 40, 24


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "mer/synth/skin.npz")
    args = parser.parse_args()
    images, marks = [], []
    for folder in args.folders:
        for file in sorted(p for p in folder.iterdir() if p.suffix.lower() in PICTURE_SUFFIXES):
            landmarks = listed_landmarks(file)
            if landmarks is None or portrait_fault(landmarks):
                continue
            image, points = frame_portrait(cv2.cvtColor(cv2.imread(str(file)), cv2.COLOR_BGR2RGB), landmarks)
            if well_lit(image, points):
                images += [image, np.ascontiguousarray(image[:, ::-1])]
                marks += [points, mirrored(points)]
    points = np.array(marks)
    mean = points.mean(axis=0)  # skin is stored on these landmarks, flat, so their pose does not matter
    frame = mean
    print(len(images), "faces")

    fine, coarse = round(SIZE * BRIGHTNESS_SCALE), round(SIZE * COLOR_SCALE)
    oval = mean[list(OVAL), :2]
    middle = oval.mean(axis=0)
    mask = np.zeros((fine, fine), np.uint8)
    cv2.fillPoly(mask, [np.round((middle + 1.10 * (oval - middle)) * BRIGHTNESS_SCALE).astype(np.int32)], 1)
    mask = mask > 0
    bright, color = [], []
    for image, p in zip(images, points):
        position = warp_map(p[:, :2], frame[:, :2], SIZE)
        flat = cv2.remap(image, position[..., 0], position[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        ycc = cv2.cvtColor(flat, cv2.COLOR_RGB2YCrCb).astype(np.float32)
        bright.append(cv2.resize(ycc[..., 0], (fine, fine), interpolation=cv2.INTER_AREA)[mask])
        color.append(cv2.resize(ycc[..., 1:], (coarse, coarse), interpolation=cv2.INTER_AREA))
    bright, color = np.array(bright), np.array(color)
    small = cv2.resize(mask.astype(np.uint8), (coarse, coarse), interpolation=cv2.INTER_NEAREST) > 0
    # Color has the same weight as brightness per pixel of the face, although it is stored at a lower resolution.
    share = 2.0 * np.sqrt(mask.sum() / (2 * small.sum()))
    data = np.concatenate([bright, share * color[:, small].reshape(len(color), -1)], axis=1)
    keep = np.ones(len(data), bool)
    for _ in range(2):
        center = data[keep].mean(axis=0)
        _, _, modes = np.linalg.svd(data[keep] - center, full_matrices=False)
        rest = data - center
        rest -= (rest @ modes[:20].T) @ modes[:20]
        error = np.linalg.norm(rest, axis=1)
        keep = error < np.quantile(error, 0.67)
    center = data[keep].mean(axis=0)
    u, s, modes = np.linalg.svd(data[keep] - center, full_matrices=False)
    scores = (u * s)[:, :MODES]
    deviation = scores.std(axis=0)
    print(int(keep.sum()), "kept;", f"{(s[:MODES] ** 2).sum() / (s**2).sum():.3f} of the variance in {MODES} modes")
    # Regress color on the scores, also outside the face, so that the edge of the mask is invisible.
    whitened = scores / deviation
    bright_modes = whitened.T @ (bright[keep] - bright[keep].mean(axis=0)) / keep.sum()
    color_modes = np.tensordot(whitened, color[keep] - color[keep].mean(axis=0), (0, 0)) / keep.sum()

    residual = bright[keep] - bright[keep].mean(axis=0) - whitened @ bright_modes
    strength = np.zeros(mask.shape, np.float32)
    for row in residual[:120]:
        picture = np.zeros(mask.shape, np.float32)
        picture[mask] = row
        strength += (picture - cv2.GaussianBlur(picture, (0, 0), 2)) ** 2
    grain = np.sqrt(cv2.GaussianBlur(strength / min(120, len(residual)), (0, 0), 3))
    grain = cv2.resize(grain, (coarse, coarse), interpolation=cv2.INTER_AREA)

    # Remove the pose: rotate each shape to face the camera as the mean does.
    level = mean
    for _ in range(3):
        turned = [similarity(p.astype(float), level) for p in points]
        frontal = np.array([scale * p @ turn.T + shift for p, (scale, turn, shift) in zip(points, turned)])
        level = frontal[keep].mean(axis=0)
    frontal += mean.mean(axis=0) - level.mean(axis=0)
    mean = frontal[keep].mean(axis=0)
    shapes = frontal[keep].reshape(keep.sum(), -1)
    u, s, axes = np.linalg.svd(shapes - shapes.mean(axis=0), full_matrices=False)
    landmark_modes = (axes[:SHAPE_MODES] * (s[:SHAPE_MODES, None] / np.sqrt(keep.sum()))).reshape(-1, 478, 3)

    arrays = {
        "landmarks": mean.astype(np.float32),
        "frame": frame.astype(np.float32),
        "bright": bright[keep].mean(axis=0).astype(np.float16),
        "mask": np.packbits(mask, axis=1),
        "mask_width": np.array(fine),
        "color": color[keep].mean(axis=0).astype(np.float16),
        "grain": grain.astype(np.float16),
    }
    for name, values in (
        ("bright_modes", bright_modes),
        ("color_modes", color_modes),
        ("landmark_modes", landmark_modes),
    ):
        scale = np.abs(values).reshape(len(values), -1).max(axis=1) / 127
        arrays[name] = np.round(values / scale.reshape(-1, *[1] * (values.ndim - 1))).astype(np.int8)
        arrays[f"{name}_scale"] = scale.astype(np.float32)
    np.savez_compressed(args.out, **arrays)
    print(args.out, args.out.stat().st_size, "bytes")


def mirrored(points: np.ndarray) -> np.ndarray:
    """Landmarks of the mirrored picture, in the usual order."""
    out = points[mirrored_landmarks()]
    out[:, 0] = SIZE - 1 - out[:, 0]
    return out


def well_lit(image: np.ndarray, points: np.ndarray) -> bool:
    ycc = cv2.cvtColor(image, cv2.COLOR_RGB2YCrCb).astype(float)
    mask = np.zeros(image.shape[:2], np.uint8)
    cv2.fillPoly(mask, [points[list(OVAL), :2].round().astype(np.int32)], 1)
    x = np.arange(image.shape[1])[None] + np.zeros(image.shape[:2])
    left, right = (mask > 0) & (x < points[1, 0]), (mask > 0) & (x > points[1, 0])
    level = ycc[..., 0][mask > 0].mean()
    asymmetry = abs(ycc[..., 0][left].mean() - ycc[..., 0][right].mean()) / level
    saturation = (ycc[..., 1][mask > 0] - 128).mean()
    return level > 70 and asymmetry < 0.22 and 4 < saturation < 45


if __name__ == "__main__":
    main()
