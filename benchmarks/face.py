"""What it costs to find and align a face, how small it may be in the frame, and how well the detectors agree.

    python benchmarks/face.py                        # with the one photograph that comes with scikit-image
    python benchmarks/face.py --faces ASSETS/faces   # with photographs, each folder with its landmarks478.json

Times are of one 640 x 480 frame, without the first, which loads the models: the median by the clock and, for a busy
machine, of the processor. The detection rate is of faces set into larger, busy frames; a face counts as found if its
landmarks lie within a third of the interocular distance of where they are.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import skimage.data

from mer.face import DETECTORS, Face, align, crop, detect_faces, transform
from mer.face.mesh import find_meshes
from mer.face.regions import OUTER_EYE_CORNERS

SETS = ("sfhq", "london_neutral", "london_smiling", "canada")
SHARES = (0.20, 0.12, 0.08, 0.07, 0.06, 0.05, 0.04, 0.03, 0.02)  # interocular distance over the frame's longer side
Photograph = tuple[np.ndarray, np.ndarray]  # RGB, landmarks (478, 3)


def eye_distance(landmarks: np.ndarray) -> float:
    right, left = landmarks[list(OUTER_EYE_CORNERS), :2]
    return float(np.linalg.norm(left - right))


def photographs(folder: Path | None, each: int) -> list[Photograph]:
    if folder is None:
        image = skimage.data.astronaut()[:256, 96:352]
        return [(image, detect_faces(image)[0].landmarks)]
    found = []
    for name in SETS:
        table = json.loads((folder / name / "landmarks478.json").read_text())
        for file in sorted(table)[:each]:
            image = cv2.cvtColor(cv2.imread(str(folder / name / file)), cv2.COLOR_BGR2RGB)
            found.append((image, np.array(table[file]["lm"])))
    return found


def in_frame(photograph: Photograph, share: float, width: int, height: int, seed: int) -> Photograph | None:
    """The photograph somewhere in a busy frame, its edge blended in; None where it does not fit."""
    image, landmarks = photograph
    rng = np.random.default_rng(seed)
    grounds = [skimage.data.coffee, skimage.data.immunohistochemistry, skimage.data.rocket, skimage.data.brick]
    ground = grounds[seed % len(grounds)]()
    ground = np.repeat(ground[..., None], 3, 2) if ground.ndim == 2 else ground
    side = round(image.shape[0] * share * max(width, height) / eye_distance(landmarks))
    if side >= min(width, height):
        return None
    frame = cv2.resize(ground, (width, height)).astype(np.float32)
    x, y = int(rng.integers(0, width - side)), int(rng.integers(0, height - side))
    shrunk = side < image.shape[0]
    small = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA if shrunk else cv2.INTER_CUBIC)
    ramp = np.clip((1 - np.abs(np.linspace(-1, 1, side))) / 0.05, 0, 1)
    blend = np.minimum.outer(ramp, ramp)[..., None]
    part = frame[y : y + side, x : x + side]
    part += blend * (small - part)
    return np.clip(frame, 0, 255).astype(np.uint8), landmarks * (side / image.shape[0]) + [x, y, 0]


def found(landmarks: list[np.ndarray], true: np.ndarray) -> bool:
    points = [*OUTER_EYE_CORNERS, 1, 152]
    off = [np.linalg.norm((one - true)[points, :2], axis=1).max() for one in landmarks]
    return bool(off) and min(off) < eye_distance(true) / 3


def mesh_alone(image: np.ndarray) -> list[np.ndarray]:
    return [mesh for mesh, _ in find_meshes(image)]


def by(method: str) -> Callable[[np.ndarray], list[np.ndarray]]:
    return lambda image: [face.landmarks for face in detect_faces(image, method)]


def timed(call: Callable[[], object], repeats: int) -> str:
    call()
    wall, processor = [], []
    for _ in range(repeats):
        start, start_processor = time.perf_counter(), time.process_time()
        call()
        wall.append(time.perf_counter() - start)
        processor.append(time.process_time() - start_processor)
    return f"{1e3 * np.median(wall):.1f} | {1e3 * np.median(processor):.1f}"


def times(repeats: int) -> Iterator[str]:
    portrait = skimage.data.astronaut()[:480]
    frame = np.pad(portrait, ((0, 0), (64, 64), (0, 0)), mode="edge")
    nothing = np.full((480, 640, 3), 128, np.uint8)
    yield "| 640 x 480 | wall ms | processor ms |"
    yield "|---|---|---|"
    face: Face = detect_faces(frame)[0]
    alignment = align(face.landmarks)
    large = cv2.resize(frame, (2560, 1920), interpolation=cv2.INTER_CUBIC)
    large_alignment = align(face.landmarks * 4)
    for method in DETECTORS:
        yield f"| detect, {method} | {timed(partial(detect_faces, frame, method), repeats)} |"
    yield f"| detect, mediapipe, no face | {timed(lambda: detect_faces(nothing), repeats)} |"
    yield f"| align | {timed(lambda: align(face.landmarks), repeats)} |"
    yield f"| crop, 224 | {timed(lambda: crop(frame, alignment), repeats)} |"
    yield f"| crop, 224, from 2560 x 1920 | {timed(lambda: crop(large, large_alignment), repeats)} |"


def rates(faces: list[Photograph], width: int, height: int) -> Iterator[str]:
    ways = {"face mesh alone": mesh_alone, "mediapipe": by("mediapipe"), "mtcnn": by("mtcnn")}
    yield f"| {width} x {height}: share | eyes, px | {' | '.join(ways)} | n |"
    yield "|---|---|" + "---|" * (len(ways) + 1)
    for share in SHARES:
        frames = [in_frame(face, share, width, height, seed) for seed, face in enumerate(faces)]
        fitting = [frame for frame in frames if frame is not None]
        if not fitting:
            continue
        rate = [np.mean([found(way(image), true) for image, true in fitting]) for way in ways.values()]
        eyes = round(share * max(width, height))
        yield f"| {share:.2f} | {eyes} | {' | '.join(f'{100 * r:.0f} %' for r in rate)} | {len(fitting)} |"


def agreement(faces: list[Photograph]) -> Iterator[str]:
    """Landmarks against those that come with the photographs, and where they would put the crop."""
    yield "| landmarks against those given | rms, share of eye distance | 95 % below | crop moved, px of 224 |"
    yield "|---|---|---|---|"
    for method in DETECTORS:
        off, moved = [], []
        for image, true in faces:
            for face in detect_faces(image, method)[:1]:
                distance = np.linalg.norm((face.landmarks - true)[:, :2], axis=1)
                off.append(np.sqrt((distance**2).mean()) / eye_distance(true))
                placed = [transform(true, align(points).matrix)[:, :2] for points in (true, face.landmarks)]
                moved.append(np.linalg.norm(placed[0] - placed[1], axis=1).mean())
        yield f"| {method} | {np.median(off):.3f} | {np.percentile(off, 95):.3f} | {np.median(moved):.1f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=Path, help="folder that holds sfhq/, london_neutral/, ...")
    parser.add_argument("--each", type=int, default=10, help="photographs of each folder")
    parser.add_argument("--repeats", type=int, default=30)
    args = parser.parse_args()
    faces = photographs(args.faces, args.each)
    tables = [times(args.repeats), rates(faces, 640, 480), rates(faces, 1920, 1080), agreement(faces)]
    for table in tables:
        for line in table:
            print(line, flush=True)
        print()


if __name__ == "__main__":
    main()
