"""Seconds per pair of flow methods, and training steps per second of DecFlow, on one and two threads.

    python benchmarks/decflow_speed.py --out benchmarks/decflow_speed.csv

The networks have random weights, which does not affect the time. Each number is the median of several runs after a
warm-up run, in a separate process per number of threads, with the 1-minute load of the machine. On a busy machine, read
`cpu_seconds`: on one thread they equal the seconds on an idle machine.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

SIZES = (128, 224, 480)
COLUMNS = ("what", "size", "threads", "seconds", "cpu_seconds", "runs", "load")


def measure(call: Callable[[], object], seconds: float = 4.0) -> tuple[float, float, int]:
    """Median wall-clock and processor seconds of a call, and the number of runs."""
    call()
    clock: list[float] = []
    processor: list[float] = []
    while not clock or (sum(clock) < seconds and len(clock) < 30):
        began, worked = time.perf_counter(), time.process_time()
        call()
        clock.append(time.perf_counter() - began)
        processor.append(time.process_time() - worked)
    return statistics.median(clock), statistics.median(processor), len(clock)


def run(threads: int, sizes: list[int], training: bool) -> None:
    """Measure everything with this number of threads and print the rows as JSON."""
    import cv2
    import numpy as np
    import torch
    from skimage.data import astronaut

    from mer.decflow import methods
    from mer.decflow.losses import Loss, sequence_loss
    from mer.decflow.networks import build, predict
    from mer.decflow.prior import face_map, initial_flows
    from mer.decflow.weights import save_weights
    from mer.face import crop_landmarks
    from mer.flow import classical

    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)
    os.environ["MER_WEIGHTS"] = tempfile.mkdtemp()
    for name, network in (("decflow", "lite"), ("decflow-paper", "paper")):
        save_weights(Path(os.environ["MER_WEIGHTS"]) / f"{name}.safetensors", build(network), {})
    raft = build("raft-small").eval()

    def report(what: str, size: int, call: Callable[[], object]) -> None:
        seconds, processor, runs = measure(call)
        row = [what, size, threads, round(seconds, 4), round(processor, 4), runs, round(os.getloadavg()[0], 1)]
        print(json.dumps(dict(zip(COLUMNS, row))), flush=True)

    face = astronaut()[0:240, 100:340]
    for size in sizes:
        onset = np.asarray(cv2.resize(face, (size, size), interpolation=cv2.INTER_CUBIC), np.uint8)
        apex = np.roll(onset, 1, axis=1)
        landmarks = crop_landmarks(size)
        tensors = [torch.from_numpy(f.transpose(2, 0, 1).copy()).float()[None] for f in (onset, apex)]

        def by_raft(frames: list[torch.Tensor] = tensors) -> object:
            with torch.inference_mode():
                return predict(raft, {"onset": frames[0], "apex": frames[1]}, 12)

        calls: dict[str, Callable[[], object]] = {
            "decflow": lambda a=onset, b=apex, m=landmarks: methods.decflow(a, b, landmarks=m, device="cpu"),
            "decflow-paper": lambda a=onset, b=apex: methods.decflow_paper(a, b, device="cpu"),
            "tvl1": lambda a=onset, b=apex: classical.tvl1(a, b),
            "dis": lambda a=onset, b=apex: classical.dis(a, b),
            "farneback": lambda a=onset, b=apex: classical.farneback(a, b),
            "raft-small": by_raft,
            "decflow: its start": lambda a=onset, b=apex, m=landmarks: initial_flows(a, b, m),
            "decflow: its semantic prior": lambda m=landmarks, s=size: face_map(m, (s, s)),
        }
        for what, call in calls.items():
            report(what, size, call)

    for network, size, batch in (("lite", 128, 4), ("lite", 224, 4), ("paper", 128, 1)) if training else ():
        net = build(network).to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
        b = {
            "onset": 255 * torch.rand(batch, 3, size, size), "apex": 255 * torch.rand(batch, 3, size, size),
            "facial": torch.rand(batch, 2, size, size), "head": torch.rand(batch, 2, size, size),
            "mask": torch.ones(batch, 1, size, size), "visible": torch.ones(batch, 1, size, size),
            "prior": torch.rand(batch, 5, size // 4, size // 4), "start": torch.rand(batch, 4, size // 4, size // 4),
        }  # fmt: skip

        def step(net: torch.nn.Module = net, b: dict[str, torch.Tensor] = b, network: str = network) -> None:
            count = 2 if network == "lite" else 12
            sequence_loss(predict(net, b, count, all_iterates=True), b, Loss())[0].backward()

        report(f"training step, {network}, {batch} pairs", size, step)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--out", type=Path)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--no-training", dest="training", action="store_false")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)  # inner process
    options = parser.parse_args()
    if options.one:
        run(options.one, options.sizes, options.training)
        return
    rows = []
    for threads in options.threads:
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
        command = [sys.executable, __file__, "--one", str(threads), "--sizes", *map(str, options.sizes)]
        command += [] if options.training else ["--no-training"]
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
            for line in process.stdout or ():
                rows.append(json.loads(line))
                shown = "{what:34s} {size:4d} px  {threads} threads  {seconds:8.4f} s, processor {cpu_seconds:8.4f} s"
                print((shown + "  (load {load})").format(**rows[-1]), flush=True)
        if process.returncode:
            raise SystemExit(process.returncode)
    if options.out:
        with open(options.out, "w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


if __name__ == "__main__":
    main()
