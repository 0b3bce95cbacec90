"""Scaling of extraction: `python benchmarks/scale.py OUT [--clips 10 30 100 300 1000]`.

Measures time against the number of clips, processes and cluster workers, the length of a video and the size of its
frames; memory against the length; and the cost of an empty job. Writes `OUT/scale.csv` and `scale.png`.

All clips are one portrait (NASA, public domain, from scikit-image) moved by a fraction of a pixel. Most runs use frames
of 160 px, farneback and crops of 64 px, so that the flow itself takes little time. CPU seconds are reported, too, since
wall-clock seconds depend on other programs.
"""

from __future__ import annotations

import argparse
import csv
import multiprocessing
import os
import resource
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np

FPS = 50
LIGHT = {"method": "farneback", "size": 64}  # the cheapest settings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--clips", type=int, nargs="*", default=[10, 30, 100, 300, 1000])
    parser.add_argument("--lengths", type=int, nargs="*", default=[25, 50, 100, 200, 400, 1600])
    parser.add_argument("--sizes", type=int, nargs="*", default=[160, 320, 640, 1280, 2560])
    parser.add_argument("--spotted", type=int, nargs="*", default=[100, 400])
    parser.add_argument("--methods", nargs="*", default=["dis", "decflow"])
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2])
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []

    def record(new: list[dict[str, Any]]) -> None:
        rows.extend(new)
        for row in new:
            print("  ".join(f"{name} {value}" for name, value in row.items() if value != ""), flush=True)
        write(rows, options.out)

    for length in options.lengths:  # peak memory never falls, so each length has a fresh process
        record(fresh(length_of_video, length))
    for length in options.spotted:
        record(fresh(spotted, length))
    if options.sizes:
        record(fresh(size_of_frames, options.sizes))
    for method in options.methods:
        record(fresh(method_with_default_size, method, [640, 1280]))
    for workers in options.workers:
        record(fresh(number_of_workers, workers, False))
    if options.workers:
        record(fresh(number_of_workers, max(options.workers), True))
    if options.clips:
        record(fresh(number_of_clips, options.clips))
    draw(rows, options.out / "scale.png")


def fresh(function: Callable[..., list[dict[str, Any]]], *arguments: Any) -> list[dict[str, Any]]:
    """Call in a fresh process."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


# --- measurements ---


def number_of_clips(numbers: list[int]) -> list[dict[str, Any]]:
    rows = []
    with scratch() as folder:
        video = write_clip(folder / "clip.mp4", 5, 160)
        extract(copies(video, folder / "warm", 1, labeled=True), folder / "flows", **LIGHT)
        for n in numbers:
            videos = copies(video, folder / f"{n}", n, labeled=True)
            row = measured("clips", n, lambda videos=videos, n=n: extract(videos, folder / f"flows{n}", **LIGHT))
            rows.append({**row, "clips": n})
            again = measured("clips, all there", n, lambda v=videos, n=n: extract(v, folder / f"flows{n}", **LIGHT))
            rows.append({**again, "clips": n})
    return rows


def length_of_video(length: int) -> list[dict[str, Any]]:
    """All frames are read, because the apex is spotted."""
    with scratch() as folder:
        extract(copies(write_clip(folder / "a.mp4", 5, 160), folder / "warm", 1, labeled=False), folder / "f", **LIGHT)
        videos = copies(write_clip(folder / "b.mp4", length, 160), folder / "videos", 1, labeled=False)
        return [{**measured("frames", length, lambda: extract(videos, folder / "flows", **LIGHT)), "clips": 1}]


def spotted(length: int) -> list[dict[str, Any]]:
    """`mer spot` on frames of 640 px at 25 fps; the first video is a warm-up."""
    from mer.spotting import spot

    with scratch() as folder:
        spot(write_clip(folder / "a.mp4", 10, 640, 25))
        video = write_clip(folder / "b.mp4", length, 640, 25)
        return [{**measured("frames, mer spot", length, lambda: spot(video)), "clips": 1}]


def method_with_default_size(method: str, sides: list[int]) -> list[dict[str, Any]]:
    """Flow of 224 px, the default."""
    return [{**row, "what": f"side, {method}"} for row in size_of_frames(sides, 8, method=method)]


def size_of_frames(sizes: list[int], clips: int = 4, **settings: Any) -> list[dict[str, Any]]:
    rows, settings = [], settings or LIGHT
    with scratch() as folder:
        for size in sizes:
            videos = copies(write_clip(folder / f"{size}.mp4", 5, size), folder / f"{size}", clips, labeled=True)
            extract(
                copies(folder / f"{size}.mp4", folder / f"w{size}", 1, labeled=True), folder / f"f{size}", **settings
            )
            row = measured("side", size, lambda v=videos, s=size: extract(v, folder / f"flows{s}", **settings))
            rows.append({**row, "clips": clips})
    return rows


def number_of_workers(workers: int, cluster: bool, clips: int = 40, empty: int = 200) -> list[dict[str, Any]]:
    """Extraction and empty jobs, after the processes have started and imported everything."""
    from joblib.externals.loky import get_reusable_executor

    from mer.utils.processes import run_jobs

    what = "cluster workers" if cluster else "processes"
    with scratch() as folder, dask(workers) if cluster else nullcontext() as address:
        how: dict[str, Any] = {"cluster": address} if cluster else {"workers": workers}
        video = write_clip(folder / "clip.mp4", 5, 160)
        extract(copies(video, folder / "warm", 4 * workers, labeled=True), folder / "flows", **LIGHT, **how)
        videos = copies(video, folder / "videos", clips, labeled=True)
        row = measured(what, workers, lambda: extract(videos, folder / "flows1", **LIGHT, **how))
        jobs = measured(f"{what}, empty jobs", workers, lambda: list(run_jobs(abs, range(empty), **how)))
        get_reusable_executor().shutdown()  # else this process waits for their idle timeout
        return [{**row, "clips": clips}, {**jobs, "clips": empty}]


def measured(what: str, value: int, function: Callable[[], Any]) -> dict[str, Any]:
    """Wall-clock and CPU seconds of a call, including child processes, and peak memory."""
    before, began = cpu(), time.perf_counter()
    function()
    seconds, spent = time.perf_counter() - began, cpu() - before
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "what": what, "value": value, "clips": "", "seconds": round(seconds, 3), "cpu_seconds": round(spent, 3),
        "peak_mib": round(peak), "load": round(os.getloadavg()[0], 1),
    }  # fmt: skip


def cpu() -> float:
    import psutil

    this = psutil.Process()
    return sum(sum(process.cpu_times()[:2]) for process in (this, *this.children(recursive=True)))


# --- data ---


@contextmanager
def scratch() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@contextmanager
def dask(workers: int) -> Iterator[str]:
    from distributed import LocalCluster

    with LocalCluster(workers, threads_per_worker=1, dashboard_address=None, silence_logs=50) as cluster:
        yield cluster.scheduler_address


def extract(videos: Path, out: Path, **options: Any) -> None:
    from mer.extraction.extract import extract_flow

    table = extract_flow(videos, out, **options)
    assert (table["status"] == "ok").all(), table


def write_clip(path: Path, frames: int, side: int, fps: int = FPS) -> Path:
    """Write the portrait, `side` px, with its mouth moving up and down by a fraction of a pixel."""
    import cv2
    from skimage.data import astronaut

    from mer.datasets.video import write_video

    face = cv2.resize(np.ascontiguousarray(astronaut()[:320, 64:384]), (side, side), interpolation=cv2.INTER_CUBIC)
    y, x = np.mgrid[:side, :side].astype(np.float32)
    mouth = np.exp(-(((x - 0.5 * side) ** 2 + (y - 0.58 * side) ** 2) / (0.08 * side) ** 2))

    def frame(t: int) -> np.ndarray:
        shift = 0.006 * side * np.sin(np.pi * t / max(frames - 1, 1)) * mouth
        return cv2.remap(face, x, (y + shift).astype(np.float32), cv2.INTER_LINEAR)

    write_video(path, map(frame, range(frames)), side, fps)
    return path


def copies(video: Path, folder: Path, n: int, labeled: bool) -> Path:
    """`n` clips of ten people, all links to one file."""
    rows = [(f"s{i % 10:02d}", f"c{i:06d}") for i in range(n)]
    for subject, clip in rows:
        (folder / subject).mkdir(parents=True, exist_ok=True)
        os.link(video, folder / subject / f"{clip}.mp4")
    with open(folder / "labels.csv", "w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("subject", "clip", "onset", "apex") if labeled else ("subject", "clip"))
        table.writerows((*row, 0, 2) if labeled else row for row in rows)
    return folder


# --- output ---


def write(rows: list[dict[str, Any]], out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    with open(out / "scale.csv.part", "w", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
    shutil.move(out / "scale.csv.part", out / "scale.csv")


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator

    def of(what: str) -> list[dict[str, Any]]:
        return [row for row in rows if row["what"] == what]

    def per_clip(what: str) -> list[float]:
        return [1e3 * row["cpu_seconds"] / row["clips"] for row in of(what)]

    figure = Figure(figsize=(9, 5.5), layout="constrained")
    axes = figure.subplots(2, 2).ravel()
    axes[0].loglog([row["value"] for row in of("clips")], per_clip("clips"), "o-", label="extracted")
    axes[0].loglog([row["value"] for row in of("clips")], per_clip("clips, all there"), "o-", label="resumed")
    axes[0].set(xlabel="clips", ylabel="CPU ms per clip")
    axes[0].legend(frameon=False)
    axes[1].loglog([row["value"] for row in of("side")], per_clip("side"), "o-")
    axes[1].set(xlabel="side of a frame, px", ylabel="CPU ms per clip")
    axes[2].loglog([row["value"] for row in of("frames")], [row["cpu_seconds"] for row in of("frames")], "o-")
    axes[2].set(xlabel="frames, apex spotted", ylabel="CPU seconds per clip")
    memory = [row["peak_mib"] for row in of("frames")]
    axes[3].semilogx([row["value"] for row in of("frames")], memory, "o-")
    axes[3].set(xlabel="frames, apex spotted", ylabel="peak memory, MiB", ylim=(0, 1.2 * max(memory, default=1)))
    for axis, what in zip(axes, ("clips", "side", "frames", "frames")):
        values = [row["value"] for row in of(what)]
        axis.set_xticks(values, [str(value) for value in values])
        axis.minorticks_off()
        axis.spines[["top", "right"]].set_visible(False)
    for axis in axes[:3]:
        axis.yaxis.set(major_locator=LogLocator(subs=(1, 2, 5)), major_formatter="{x:g}")
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
