"""A folder of invented faces: smooth random textures with the mean face's landmarks. No photograph is needed."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np

from mer.face.canonical import canonical_landmarks


def write_faces(folder: Path, count: int = 12, side: int = 160) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    rng, table = np.random.default_rng(0), {}
    for n in range(count):
        texture = sum(
            amount * cv2.GaussianBlur(rng.standard_normal((side, side, 3)), (0, 0), blur) * blur
            for amount, blur in ((60, 1.5), (60, 4), (60, 10))
        )
        picture = np.clip(128 + texture, 0, 255).astype(np.uint8)
        landmarks = canonical_landmarks() * (0.36 * side)
        landmarks[:, :2] += [side / 2, side * 0.38]
        name = f"face{n}.png"
        cv2.imwrite(str(folder / name), picture)
        table[name] = {"lm": landmarks.round(2).tolist()}
    (folder / "landmarks478.json").write_text(json.dumps(table))
    return folder
