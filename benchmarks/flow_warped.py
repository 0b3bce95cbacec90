"""Errors of flow methods on photographs warped by known fields: facial, head and expression flow, in pixels.

    python benchmarks/flow_warped.py --faces FACES/london_neutral FACES/canada FACES/sfhq

Each portrait is aligned to a 224 px crop, the onset. The apex is the same photograph, warped by the inverse of a known
field, sampled at twice the resolution and averaged, so both frames are sampled once and the flow on the onset's grid is
exact. The field is the flow of a rigid head (0.8 degrees about each axis, 1.2 % of the interocular distance along each,
standard deviations; a camera at 5 to 14 interocular distances; the landmarks' depth times 0.85 to 1.15) plus 2 to 8
smooth bumps inside the face with a largest displacement of 0.1 to 5 px: the expression. Both frames get sensor noise of
1.5 gray levels, and in half of the pairs the light changes by 3 %, unevenly over the face. Methods get landmarks with
an error of half a pixel; camera and depth are unknown to them.

The people of each folder are split into two halves: settings were chosen on `--split tune`, results are reported on
`--split report`, the default. A folder holds portraits, one per person, and optionally `landmarks478.json`. Times are
processor times on one thread, including the head fit.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.interpolate import RBFInterpolator
from scipy.ndimage import map_coordinates, spline_filter

from mer.extraction.methods import METHODS, estimate_flow, method_status
from mer.face import align, detect_faces, face_mask, transform
from mer.face.regions import OUTER_EYE_CORNERS, OVAL

PEAKS = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0)  # px, the expression's largest displacement
LIGHTS = (0.0, 0.03)
SIZE = 224
FINE = 2  # samples of the photograph along a side of a pixel
NOISE = 1.5  # gray levels, standard deviation
LANDMARK_NOISE = 0.5  # px, standard deviation

Array = NDArray[np.float64]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", nargs="+", type=Path, required=True, help="folders of portraits, one per person")
    parser.add_argument("--people", type=int, default=24, help="people, from all folders together")
    parser.add_argument("--split", choices=("tune", "report"), default="report")
    parser.add_argument("--methods", nargs="+", default=[name for name in METHODS if not method_status(name)])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="write one row per pair and method to this CSV file")
    options = parser.parse_args()
    cv2.setNumThreads(1)

    started, rows = time.perf_counter(), []
    people = choose_people(options.faces, options.people, options.split)
    for number, (photograph, landmarks) in enumerate(people):
        for pair in warped_pairs(photograph, landmarks, [options.seed, number]):
            rows += [{"person": photograph.name, **row} for row in measure(pair, options.methods)]
    table = pd.DataFrame(rows)
    if options.out:
        table.to_csv(options.out, index=False)
    print_tables(table)
    print(f"\n{len(people)} people of {options.split}, seed {options.seed}, {time.perf_counter() - started:.0f} s")


def choose_people(folders: list[Path], count: int, split: str) -> list[tuple[Path, Array]]:
    """Photographs with landmarks `(478, 3)`, spread evenly over the folders and over each of them."""
    people = []
    for place, folder in enumerate(folders):
        table = folder / "landmarks478.json"
        landmarks = json.loads(table.read_text()) if table.exists() else {}
        files = sorted(p for p in folder.iterdir() if p.suffix.lower() in {".jpg", ".jpeg", ".png"})
        half = files[split == "report" :: 2]
        wanted = count // len(folders) + (place < count % len(folders))
        for index in np.unique(np.linspace(0, len(half) - 1, min(wanted, len(half))).astype(int)):
            file = half[index]
            if file.name in landmarks:
                people.append((file, np.array(landmarks[file.name]["lm"])))
            elif faces := detect_faces(read(file)):
                people.append((file, faces[0].landmarks.astype(np.float64)))
    return people


def read(file: Path) -> NDArray[np.uint8]:
    image = cv2.imdecode(np.frombuffer(file.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


class Rendering:
    """A portrait aligned to a crop; called with points `(2, n, n)` of the crop, it returns their colors."""

    def __init__(self, file: Path, landmarks: Array) -> None:
        self.alignment = align(landmarks, SIZE)
        self.points = transform(landmarks, self.alignment.matrix).astype(np.float64)
        self.mask = face_mask(self.points, SIZE)
        self.photograph = [spline_filter(channel, 3) for channel in read(file).astype(np.float64).transpose(2, 0, 1)]
        axis = (np.arange(SIZE * FINE) - (FINE - 1) / 2) / FINE  # the fine samples, in pixels of the crop
        self.grid = np.stack(np.meshgrid(axis, axis))

    def __call__(self, at: Array) -> Array:
        back = self.alignment.inverse
        x, y = np.tensordot(back[:, :2], at, axes=1) + back[:, 2, None, None]
        samples = [map_coordinates(c, [y, x], order=3, prefilter=False, mode="nearest") for c in self.photograph]
        return cv2.resize(np.stack(samples, axis=-1), (SIZE, SIZE), interpolation=cv2.INTER_AREA)


def warped_pairs(file: Path, landmarks: Array, seed: list[int]) -> Iterator[dict]:
    """Onset, apex and exact flows of one person, for every peak and light."""
    render = Rendering(file, landmarks)
    points, grid, mask = render.points, render.grid, render.mask
    onset = render(grid)
    for number, peak in enumerate(PEAKS):
        rng = np.random.default_rng([*seed, number])
        head, expression = head_field(points, grid, rng), expression_field(points, grid, peak, rng)
        apex = render(inverse(head + expression, grid))
        noise = rng.normal(0, NOISE, (2, *onset.shape))
        noisy_landmarks = points + rng.normal(0, LANDMARK_NOISE, points.shape)
        truth = {name: on_pixels(field) for name, field in (("head", head), ("expression", expression))}
        direction, sign = rng.uniform(0, 2 * np.pi), rng.choice([-1, 1])
        slope = np.cos(direction) * grid[0] + np.sin(direction) * grid[1]
        gain = sign * (0.5 + (slope - slope.min()) / np.ptp(slope))  # half on one side, one and a half on the other
        for light in LIGHTS:
            lit = apex * (1 + light * cv2.resize(gain, (SIZE, SIZE), interpolation=cv2.INTER_AREA))[..., None]
            frames = [np.clip(np.rint(f + n), 0, 255).astype(np.uint8) for f, n in zip((onset, lit), noise)]
            yield {"peak": peak, "light": light, "frames": frames, "landmarks": noisy_landmarks, "mask": mask, **truth}


def on_pixels(field: Array) -> NDArray[np.float32]:
    """A smooth field `(2, n, n)` on the fine samples, averaged over each pixel: `(SIZE, SIZE, 2)`."""
    coarse = [cv2.resize(component, (SIZE, SIZE), interpolation=cv2.INTER_AREA) for component in field]
    return np.stack(coarse, axis=-1).astype(np.float32)


def interocular(points: Array) -> float:
    return float(np.linalg.norm(np.subtract(*points[list(OUTER_EYE_CORNERS)])))


def head_field(points: Array, grid: Array, rng: np.random.Generator, turn: Array | None = None) -> Array:
    """The flow of the rigid head, `(2, n, n)`, which fades out in the background.

    `turn` is a rotation vector in radians, random by default; if it is zero, nothing moves.
    """
    unit, center = interocular(points), points[list(OUTER_EYE_CORNERS)].mean(axis=0)
    camera = rng.uniform(5, 14) * unit
    depth = depth_field(points - [0, 0, center[2]], grid) * rng.uniform(0.85, 1.15)
    x, y = grid - center[:2, None, None]
    seen = np.stack([x * (camera + depth) / camera, y * (camera + depth) / camera, depth])
    drawn = np.radians(np.clip(rng.normal(0, 0.8, 3), -3, 3))
    matrix = cv2.Rodrigues(drawn if turn is None else turn)[0]
    shift = 0.0 if turn is not None and not turn.any() else 0.012
    moved = np.tensordot(matrix, seen, axes=1) + (rng.normal(0, shift, 3) * unit)[:, None, None]
    flow = moved[:2] * camera / (camera + moved[2]) - np.stack([x, y])
    outside = cv2.distanceTransform(1 - face_mask((points[:, :2] + 0.5) * FINE - 0.5, len(grid[0])), cv2.DIST_L2, 5)
    fade = np.clip(1.1 - outside / (0.6 * unit * FINE), 0, 1)
    return flow * cv2.GaussianBlur(fade, (0, 0), 0.04 * unit * FINE)


def depth_field(points: Array, grid: Array) -> Array:
    """Depth `(n, n)` by thin plates through every fourth landmark."""
    some = points[:468:4]
    plate = RBFInterpolator(some[:, :2], some[:, 2], smoothing=2.0)
    coarse = grid[:, :: 4 * FINE, :: 4 * FINE]
    depth = plate(coarse.reshape(2, -1).T).reshape(coarse.shape[1:])
    place = np.indices(grid.shape[1:]) / (4 * FINE)
    return map_coordinates(np.clip(depth, some[:, 2].min(), some[:, 2].max()), place, order=3, mode="nearest")


def expression_field(points: Array, grid: Array, peak: float, rng: np.random.Generator) -> Array:
    """Smooth bumps inside the face, `(2, n, n)`, the longest vector `peak` px long."""
    unit, size = interocular(points), len(grid[0])
    inside = np.setdiff1d(np.arange(468), OVAL)
    field = np.zeros_like(grid)
    for _ in range(rng.integers(2, 9)):
        x, y = grid - points[rng.choice(inside), :2, None, None]
        angle, width = rng.uniform(0, np.pi), rng.uniform(0.12, 0.28) * unit * np.exp(rng.normal(0, 0.15, 2))
        along, across = (np.cos(angle) * x + np.sin(angle) * y), (np.cos(angle) * y - np.sin(angle) * x)
        bump = np.exp(-0.5 * ((along / width[0]) ** 2 + (across / width[1]) ** 2))
        field += rng.normal(0, 1, (2, 1, 1)) * bump
    mask = face_mask((points[:, :2] + 0.5) * FINE - 0.5, size)
    edge = np.clip(cv2.distanceTransform(mask, cv2.DIST_L2, 5) / (0.12 * unit * FINE), 0, 1)
    field *= edge * edge * (3 - 2 * edge)
    return field * peak / np.hypot(*field).max()


def inverse(field: Array, grid: Array) -> Array:
    """The points `g` with `g + field(g) = grid`, `(2, n, n)`, in pixels of the crop, by fixed-point iteration."""
    points = grid
    for _ in range(100):
        place = (points[::-1] + (FINE - 1) / (2 * FINE)) * FINE
        values = np.stack([map_coordinates(component, place, order=1, mode="nearest") for component in field])
        last, points = points, grid - values
        if abs(points - last).max() < 1e-3:
            return points
    raise RuntimeError("the field folds: it has no inverse")


def measure(pair: dict, methods: list[str]) -> Iterator[dict]:
    inside = pair["mask"] > 0

    def error(flow: np.ndarray | float, truth: np.ndarray) -> float:
        return float(np.linalg.norm((flow - truth)[inside], axis=1).mean())

    same = {"peak": pair["peak"], "light": pair["light"]}
    facial = pair["head"] + pair["expression"]
    for name in methods:
        started = time.thread_time()
        flow = estimate_flow(*pair["frames"], name, landmarks=pair["landmarks"])
        taken = 1000 * (time.thread_time() - started)
        errors = (
            error(flow.facial, facial),
            error(flow.head, pair["head"]),
            error(flow.expression, pair["expression"]),
        )
        yield {**same, "method": name, **dict(zip(("facial", "head", "expression"), errors)), "ms": taken}
    # Zero expression flow with the exact head flow: the error is the mean size of the expression.
    size = error(0.0, pair["expression"])
    yield {**same, "method": "no expression", "facial": size, "head": 0.0, "expression": size, "ms": 0.0}


def print_tables(table: pd.DataFrame) -> None:
    for light, part in table.groupby("light"):
        print(f"\nlight change {light:.0%}: EPE in the face, px, by the expression's largest displacement, px")
        print(f"{'':24}" + "".join(f"{peak:8g}" for peak in PEAKS) + "    mean      ms")
        for component in ("facial", "head", "expression"):
            means = part.pivot_table(index="method", columns="peak", values=component, sort=False)
            for method, row in means.iterrows():
                if component == "expression" or method != "no expression":
                    ms = part.loc[part["method"] == method, "ms"].median()
                    cells = "".join(f"{value:8.3f}" for value in (*row, row.mean()))
                    print(f"{component:11}{method:13}{cells}{ms:8.0f}")


if __name__ == "__main__":
    main()
