"""What extraction costs, stage by stage: `python benchmarks/extract.py VIDEOS [--method dis] [--repeat 5]`.

For each clip of a folder of videos, in one process: decode (open, onset and apex), detect (onset and apex), align (fit
and two crops), flow (estimate and split) and write. The apex is the label's, or the middle frame, so that every clip
costs the same; spotting it is timed apart, per frame. Prints medians per stage, clips per second and peak memory.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import tempfile
import time
from pathlib import Path

import pandas as pd

from mer.datasets.video import open_clip
from mer.datasets.video_folder import list_clips
from mer.extraction.apex import apex_curve
from mer.extraction.methods import DEFAULT_METHOD, estimate_flow
from mer.face import align, crop, detect_faces, transform
from mer.flow import save_flow

STAGES = ("decode", "detect", "align", "flow", "write", "spot")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", type=Path)
    parser.add_argument("--method", default=DEFAULT_METHOD)
    parser.add_argument("--align", default="mediapipe")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    rows = [row for row in list_clips(options.videos).to_dict("records") if row["status"] == ""]
    measure(rows[0], options)  # models load, caches fill
    seconds: dict[str, list[float]] = {stage: [] for stage in STAGES}
    for _ in range(options.repeat):
        for row in rows:
            for stage, spent in measure(row, options).items():
                seconds[stage].append(spent)
    print(f"{len(rows)} clips x {options.repeat}, {options.method}, {options.align}, {options.size} px, one process\n")
    print("| stage | median ms |\n|---|---|")
    medians = {stage: statistics.median(values) for stage, values in seconds.items() if values}
    for stage, value in medians.items():
        print(f"| {stage if stage != 'spot' else 'spot the apex, per frame'} | {1000 * value:.1f} |")
    total = sum(value for stage, value in medians.items() if stage != "spot")
    print(f"\n{1 / total:.1f} clips a second with a labeled apex; ", end="")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


def measure(row: dict, options: argparse.Namespace) -> dict[str, float]:
    """Seconds per stage for one clip; empty where it has no face."""
    spent: dict[str, float] = {}
    last = time.perf_counter()

    def lap(stage: str) -> None:
        nonlocal last
        now = time.perf_counter()
        spent[stage] = now - last
        last = now

    clip = open_clip(row["source"])
    onset = int(clip.numbers[0])
    apex = int(clip.numbers[len(clip) // 2]) if pd.isna(row["apex"]) else int(row["apex"])
    images = dict(clip.frames([onset, apex]))
    lap("decode")
    faces = [detect_faces(image, options.align) for image in images.values()]
    lap("detect")
    if not all(faces):
        return {}
    alignment = align(faces[0][0].landmarks, options.size)
    crops = [crop(image, alignment) for image in images.values()]
    landmarks = transform(faces[0][0].landmarks, alignment.matrix)
    lap("align")
    flow = estimate_flow(*crops, method=options.method, landmarks=landmarks)
    lap("flow")
    with tempfile.TemporaryDirectory() as folder:
        last = time.perf_counter()
        save_flow(Path(folder) / "flow.npz", flow)
        lap("write")
    apex_curve(crops[0], [crops[1]], landmarks)
    lap("spot")
    return spent


if __name__ == "__main__":
    main()
