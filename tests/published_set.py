"""A made set of 442 images of the form in which the MEGC2019 composite's flow is published, with its table."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from mer.features import resize, strain
from tests.drawn_flows import drawn_field

CLASSES = ("disgust", "happiness", "surprise")  # drawn in place of negative, positive, surprise: labels 0, 1, 2
PEOPLE = {
    "casme2": [f"sub{n:02}" for n in range(1, 27) if n not in (10, 18)],
    "samm": [f"{n:03}" for n in range(6, 38) if n not in (8, 25, 27, 29)],
    "smic": [f"s{n}" for n in (1, 2, 3, 4, 5, 6, 8, 9, 11, 12, 13, 14, 15, 18, 19, 20)],
}
COUNTS = {"casme2": (88, 32, 25), "samm": (92, 26, 15), "smic": (70, 51, 43)}


def composite_rows() -> pd.DataFrame:
    """The table: `dataset, sub, filename_o, label, apex, imagename, sub_filename`."""
    rows = []
    for dataset, counts in COUNTS.items():
        labels = np.random.default_rng(0).permutation(np.repeat([0, 1, 2], counts))
        for i, label in enumerate(labels):
            sub = PEOPLE[dataset][i % len(PEOPLE[dataset])]
            clip = {"casme2": f"EP{i:02}_01f", "samm": f"{sub}_{i}_2", "smic": f"{sub}_ne_{i:02}"}[dataset]
            rows.append(
                {"dataset": dataset, "sub": sub, "filename_o": clip, "label": label, "apex": 40 + i}
                | {"imagename": f"reg_img{40 + i}.jpg", "sub_filename": f"{sub}_{clip}"}
            )
    return pd.DataFrame(rows)


def minmax_image(field: np.ndarray, size: int = 28) -> np.ndarray:
    """u, v, strain as RGB `(size, size, 3)` uint8, each channel stretched to 0..255."""
    image = resize(np.dstack([field, strain(field)]), size)
    low, high = image.min((0, 1)), image.max((0, 1))
    return np.round(255 * (image - low) / np.maximum(high - low, 1e-9)).astype(np.uint8)


def write_published_set(folder: Path, fields: list[np.ndarray] | None = None, noise: float = 0.4) -> pd.DataFrame:
    """Write `images/` and `list.csv` of 442 clips; `fields` are drawn if they are not given."""
    rng = np.random.default_rng(1)
    table = composite_rows()
    (folder / "images").mkdir(parents=True)
    for i, row in enumerate(table.to_dict("records")):
        field = drawn_field(CLASSES[row["label"]], rng, size=28, noise=noise) if fields is None else fields[i]
        name = f"{row['sub']}_{row['filename_o']} .png"
        cv2.imwrite(str(folder / "images" / name), minmax_image(field)[..., ::-1])
    table.to_csv(folder / "list.csv", index=False)
    return table
