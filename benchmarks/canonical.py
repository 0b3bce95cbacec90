"""Compute the canonical face shipped with mer: the mean of the generated faces of SFHQ and SFHQ-T2I.

    python benchmarks/canonical.py ASSETS/faces            # writes mer/face/canonical.npz

Generalized Procrustes analysis in three dimensions (Gower, Psychometrika 40, 1975) alternately aligns all faces to the
mean and recomputes the mean. Tukey's biweight reduces the weight of faces far from the mean (hats, sunglasses,
grimaces); faces with an open mouth are excluded. The mean is made symmetric, so that it faces the camera, and has the
mean pitch of the photographs.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

SETS = ("sfhq", "sfhq_t2i")  # generated faces (David Beniaguev, MIT licence); no photographs of real people
OPEN_MOUTH = 0.03  # maximum distance of the inner lips, interocular distances
EYES = (33, 263)  # outer corners, the subject's right eye first
LIPS = (13, 14)  # inner lips, upper and lower


def read_faces(folder: Path) -> np.ndarray:
    """Landmarks of the faces with a closed mouth, `(n, 478, 3)`; x right, y down, z smaller is nearer."""
    faces = []
    for name in SETS:
        table = json.loads((folder / name / "landmarks478.json").read_text())
        faces += [table[image]["lm"] for image in sorted(table)]
    landmarks = np.array(faces)
    width = np.linalg.norm(landmarks[:, EYES[0]] - landmarks[:, EYES[1]], axis=1)
    gap = np.linalg.norm(landmarks[:, LIPS[0]] - landmarks[:, LIPS[1]], axis=1)
    return landmarks[gap < OPEN_MOUTH * width]


def align_to(faces: np.ndarray, mean: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rotate and scale centered faces to match the centered `mean` (Kabsch); returns the faces and the rotations."""
    u, s, vt = np.linalg.svd(np.einsum("nki,kj->nij", faces, mean))
    sign = np.ones_like(s)
    sign[:, 2] = np.sign(np.linalg.det(u @ vt))
    rotation = (u * sign[:, None]) @ vt
    scale = (s * sign).sum(1) / (faces**2).sum((1, 2))
    return scale[:, None, None] * faces @ rotation, rotation


def mirror_pairs(mean: np.ndarray) -> np.ndarray:
    """Index of the mirror image of each point, by the optimal assignment to the mirrored mean."""
    from scipy.optimize import linear_sum_assignment
    from scipy.spatial.distance import cdist

    mirrored = mean * [-1, 1, 1]
    pairs = linear_sum_assignment(cdist(mean, mirrored))[1]
    if not (pairs[pairs] == np.arange(len(mean))).all():
        raise ValueError("the mirror pairs are not mutual")
    return pairs


def canonical_face(faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The symmetric mean `(478, 3)`, in interocular distances from between the eyes, and the weight of each face."""
    faces = faces - faces.mean(1, keepdims=True)
    faces /= np.linalg.norm(faces, axis=(1, 2), keepdims=True)
    mean = np.median(faces, axis=0)
    for _ in range(50):
        aligned, rotation = align_to(faces, mean)
        distance = np.linalg.norm(aligned - mean, axis=(1, 2))
        weight = np.clip(1 - (distance / (4.685 * 1.4826 * np.median(distance))) ** 2, 0, None) ** 2
        new = np.average(aligned, axis=0, weights=weight)
        new /= np.linalg.norm(new)
        if np.abs(new - mean).max() < 1e-9:
            break
        mean = new
    # Restore the mean pose of the photographs: undo the mean rotation of the alignment.
    u, _, vt = np.linalg.svd(np.average(rotation, axis=0, weights=weight))
    mean = mean @ (u @ vt).T
    pairs = mirror_pairs(mean)
    opposite, _ = align_to((mean[pairs] * [-1, 1, 1])[None], mean)
    mean = (mean + opposite[0]) / 2
    # The plane of symmetry is perpendicular to the lines between mirror images; rotate it to x = 0.
    across = (mean[pairs] - mean)[mean[:, 0] < mean[pairs, 0]].sum(0)
    right = across / np.linalg.norm(across)
    forward = np.cross(right, [0.0, 1.0, 0.0])
    forward /= np.linalg.norm(forward)
    mean = mean @ np.stack([right, np.cross(forward, right), forward], axis=1)
    mean = mean - mean[list(EYES)].mean(0)
    mean = (mean + mean[pairs] * [-1, 1, 1]) / 2
    return mean / np.linalg.norm(mean[EYES[0]] - mean[EYES[1]]), weight


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("faces", type=Path, help="folder with sfhq/ and sfhq_t2i/, each with a landmarks478.json")
    parser.add_argument("--out", type=Path, default=Path("mer/face/canonical.npz"))
    args = parser.parse_args()
    faces = read_faces(args.faces)
    mean, weight = canonical_face(faces)
    np.savez_compressed(args.out, landmarks=mean.astype(np.float32))
    centered = mean - mean.mean(0)
    aligned, _ = align_to(faces - faces.mean(1, keepdims=True), centered)
    spread = np.sqrt(((aligned - centered) ** 2).mean((1, 2)))
    print(f"{len(faces)} faces with a closed mouth, {np.count_nonzero(weight == 0)} of them excluded as outliers")
    print(f"distance from the mean, rms per coordinate in interocular distances: median {np.median(spread):.4f}, "
          f"95 % below {np.percentile(spread, 95):.4f}")  # fmt: skip


if __name__ == "__main__":
    main()
