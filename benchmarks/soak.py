"""Kills runs repeatedly at random moments, lets them finish, and compares them with uninterrupted runs.

    python benchmarks/soak.py                              # every command, 100 kills in all
    python benchmarks/soak.py --part extract --kills 30    # one of them

Half of the kills are SIGKILL, half SIGTERM, in random order. Each follows after one to three more files are written, at
a random moment within the time per file; every fifth follows at a random moment after the start. The program runs in a
fork of this process, which has imported everything, so that kills hit work rather than imports. The videos are those of
the synthetic sample set.

Prints a row of a table per command. The exit status is 1 if a byte differs, or if SIGTERM does not end a run with
status 143 and its message, except at its very start and end, when no handler is installed. Not compared are `run.json`,
`scores.json` and reports, which contain the folder or the command, and of the training of DecFlow everything but the
weights, since logs and checkpoints contain times.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

import mer.evaluation.evaluate_folder
import mer.extraction.extract
from mer.cli import main as run_mer
from mer.synth.sample_set import make_sample_set

IMPORTED = (
    mer.extraction.extract,
    mer.evaluation.evaluate_folder,
)  # so that kills hit work rather than imports
LEFT_OUT = {"run.json", ".mer.lock", "scores.json", "report.html", "log.csv", "checkpoint.pt", "weights.json"}


def files(folder: Path) -> list[Path]:
    """The files of a folder, except unfinished ones."""
    return [file for file in sorted(folder.rglob("*")) if file.is_file() and file.suffix != ".part"]


def digests(folder: Path) -> dict[str, str]:
    """Relative path -> SHA-256."""
    return {
        file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in files(folder)
        if file.name not in LEFT_OUT
    }


def start(arguments: list[str], log: Path, run: Callable[[], object] = run_mer) -> int:
    """Run `mer` in a fork of this process, which must not have run a detector: these do not survive a fork."""
    child = os.fork()
    if child:
        return child
    sys.argv = ["mer", *arguments]
    with open(log, "w") as stream:
        os.dup2(stream.fileno(), 1)
        os.dup2(stream.fileno(), 2)
    status = 1
    try:
        run()
        status = 0
    except SystemExit as end:
        status = int(end.code or 0)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def wait(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def finish(child: int, log: Path) -> None:
    """Wait for a process, and exit if it fails."""
    status = wait(child)
    if status:
        sys.exit(f"ended with {status}: {log.read_text()}")


def draw_images(folder: Path, clips: int = 12) -> None:
    """Write published flow images and their table, for `mer import-flow`."""
    noise = np.random.default_rng(0)
    (folder / "images").mkdir(parents=True)
    for k in range(clips):
        cv2.imwrite(str(folder / f"images/p{k % 4}_c{k:02}.png"), noise.integers(0, 256, (28, 28, 3)).astype(np.uint8))
    rows = "".join(f"p{k % 4},c{k:02},{'ab'[k % 2]}\n" for k in range(clips))
    (folder / "images.csv").write_text(f"subject,clip,label\n{rows}")


def commands(folder: Path) -> dict[str, tuple[list[str], str]]:
    """Part -> its command, which ends with the option for the output, and the output's name if it is a single file."""
    videos, flows = str(folder / "videos"), str(folder / "flows")
    extract = ["extract-flow", videos, "--method", "farneback", "--size", "96"]
    decflow = ["--data", "generic", "--preset", "lite", "--size", "64", "--batch", "1", "--steps", "24", "--resume"]
    return {
        "extract": ([*extract, "--out"], ""),
        "extract, 2 workers": ([*extract, "--workers", "2", "--out"], ""),
        "import": (["import-flow", str(folder / "images"), "--table", str(folder / "images.csv"), "--out"], ""),
        "evaluate": (["evaluate", flows, "--model", "symnet", "--seeds", "2", "--report"], ""),
        "spot": (["spot", videos, "--out"], ""),
        "analyze": (["analyze", str(folder / "videos" / "p01" / "clip.mp4"), "--method", "dis", "--out"], ""),
        "synth": (["synth", "--preset", "micro", "--pairs", "36", "--size", "96"], ""),
        "train": (["train", "classifier", flows, "--model", "svm-hoof", "--out"], "model.npz"),
        "train decflow": (["train", "decflow", *decflow, "--save-minutes", "0.02", "--out"], ""),
    }


def kill(child: int, out: Path, rng: random.Random, pace: float, startup: bool) -> int | None:
    """Kill the process at a random moment. Returns its exit status, or None if it ended before."""
    wanted = len(files(out)) + (0 if startup else rng.randint(1, 3))
    while len(files(out)) < wanted:
        if os.waitpid(child, os.WNOHANG)[0]:
            return None
        time.sleep(0.01)
    time.sleep(rng.uniform(0, pace))
    if os.waitpid(child, os.WNOHANG)[0]:
        return None
    os.kill(child, rng.choice([signal.SIGKILL, signal.SIGTERM]))
    return wait(child)


def soak(part: str, command: list[str], target: str, folder: Path, kills: int, rng: random.Random) -> bool:
    """Kill one command, print its row, and return whether all was well."""
    whole_folder, out, log = folder / f"{part} whole", folder / f"{part} killed", folder / "log"
    began = time.monotonic()
    finish(start([*command, str(whole_folder / target)], log), log)
    whole = digests(whole_folder)
    pace = (time.monotonic() - began) / max(len(files(whole_folder)), 1)
    ends, runs, differ, parts = Counter[int](), 0, 0, 0
    out.mkdir()
    while ends.total() < kills:
        runs += 1
        child = start([*command, str(out / target)], log)
        status = kill(child, out, rng, pace, startup=runs % 5 == 0 or bool(target))
        if not status:  # it ended before or despite the signal: compare, and start over
            differ += digests(out) != whole
            shutil.rmtree(out)
            out.mkdir()
            continue
        ends[status] += 1
        parts += len(list(out.rglob("*.part")))
        if status not in (-9, -15, 143) or (status == 143 and "terminated; run" not in log.read_text()):
            sys.exit(f"{part} ended with {status}: {log.read_text()}")
    finish(start([*command, str(out / target)], log), log)
    differ += digests(out) != whole
    left = len(list(out.rglob("*.part")))
    counts = f"{ends[-9]} | {ends[143] + ends[-15]} | {runs + 1} | {parts} | {left} | {differ}"
    print(f"| {part} | {len(whole)} | {counts} |", flush=True)
    return not (differ or left)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=list(commands(Path())), action="append", help="all by default")
    parser.add_argument("--kills", type=int, default=100, help="in all parts together")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as name:
        folder, log = Path(name), Path(name) / "log"
        finish(start([], log, lambda: prepare(folder)), log)
        finish(start([*commands(folder)["extract"][0], str(folder / "flows")], log), log)
        parts = options.part or list(commands(folder))
        print("| part | files | SIGKILL | SIGTERM | runs | parts left by kills | parts left at the end | differing |")
        print("|---|---|---|---|---|---|---|---|")
        counts = [options.kills // len(parts) + (k < options.kills % len(parts)) for k in range(len(parts))]
        fine = [soak(part, *commands(folder)[part], folder, n, rng) for part, n in zip(parts, counts)]
    sys.exit(0 if all(fine) else 1)


def prepare(folder: Path) -> None:
    """Write the inputs of all commands."""
    make_sample_set(folder / "videos", people=3, clips=2)
    clip = next((folder / "videos" / "p01").glob("*.mp4"))
    shutil.copy(clip, clip.with_name("clip.mp4"))
    draw_images(folder)


if __name__ == "__main__":
    main()
