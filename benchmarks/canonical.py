"""The canonical face that ships with mer: the mean of the generated faces of SFHQ and SFHQ-T2I.

    python benchmarks/canonical.py ASSETS/faces            # writes mer/face/canonical.npz, prints how well faces fit it

Generalized Procrustes analysis in three dimensions (Gower, Psychometrika 40, 1975): every face is turned, shifted and
scaled onto the mean, the mean is taken again, and so on. Faces that stay far from it (hats, sunglasses, grimaces) lose
their weight by Tukey's biweight; faces with an open mouth are left out. The mean is made symmetric, which also faces it
straight to the camera, and keeps the mean pitch of the photographs.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

SETS = ("sfhq", "sfhq_t2i")  # generated faces (David Beniaguev, MIT licence); no photographs of real people
OPEN_MOUTH = 0.03  # inner lips further apart than this share of the interocular distance
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


def onto(faces: np.ndarray, mean: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each centered face turned and scaled onto the centered `mean` (Kabsch); the faces and the rotations."""
    u, s, vt = np.linalg.svd(np.einsum("nki,kj->nij", faces, mean))
    sign = np.ones_like(s)
    sign[:, 2] = np.sign(np.linalg.det(u @ vt))
    rotation = (u * sign[:, None]) @ vt
    scale = (s * sign).sum(1) / (faces**2).sum((1, 2))
    return scale[:, None, None] * faces @ rotation, rotation


def mirror_pairs(mean: np.ndarray) -> np.ndarray:
    """For each point the index of its mirror image, by the best one-to-one match with the mirrored mean."""
    from scipy.optimize import linear_sum_assignment
    from scipy.spatial.distance import cdist

    mirrored = mean * [-1, 1, 1]
    pairs = linear_sum_assignment(cdist(mean, mirrored))[1]
    if not (pairs[pairs] == np.arange(len(mean))).all():
        raise ValueError("the mirror pairs are not mutual")
    return pairs


def canonical_face(faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The symmetric mean `(478, 3)`, origin and unit as promised, and the weight that each face had."""
    faces = faces - faces.mean(1, keepdims=True)
    faces /= np.linalg.norm(faces, axis=(1, 2), keepdims=True)
    mean = np.median(faces, axis=0)
    for _ in range(50):
        aligned, rotation = onto(faces, mean)
        distance = np.linalg.norm(aligned - mean, axis=(1, 2))
        weight = np.clip(1 - (distance / (4.685 * 1.4826 * np.median(distance))) ** 2, 0, None) ** 2
        new = np.average(aligned, axis=0, weights=weight)
        new /= np.linalg.norm(new)
        if np.abs(new - mean).max() < 1e-9:
            break
        mean = new
    # The head as the mean photograph shows it: undo the mean rotation onto the Procrustes mean.
    u, _, vt = np.linalg.svd(np.average(rotation, axis=0, weights=weight))
    mean = mean @ (u @ vt).T
    pairs = mirror_pairs(mean)
    opposite, _ = onto((mean[pairs] * [-1, 1, 1])[None], mean)
    mean = (mean + opposite[0]) / 2
    # The plane of symmetry is the one across the line between each point and its twin; turn it to x = 0.
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
    parser.add_argument("faces", type=Path, help="folder that holds sfhq/ and sfhq_t2i/ with their landmarks478.json")
    parser.add_argument("--out", type=Path, default=Path("mer/face/canonical.npz"))
    args = parser.parse_args()
    faces = read_faces(args.faces)
    mean, weight = canonical_face(faces)
    np.savez_compressed(args.out, landmarks=mean.astype(np.float32))
    centered = mean - mean.mean(0)
    aligned, _ = onto(faces - faces.mean(1, keepdims=True), centered)
    spread = np.sqrt(((aligned - centered) ** 2).mean((1, 2)))
    print(f"{len(faces)} faces with a closed mouth, {np.count_nonzero(weight == 0)} of them left out as too far off")
    print(f"distance from the mean, rms per coordinate in interocular distances: median {np.median(spread):.4f}, "
          f"95 % below {np.percentile(spread, 95):.4f}")  # fmt: skip


if __name__ == "__main__":
    main()
