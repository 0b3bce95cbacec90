"""Kills a run repeatedly at random moments, lets it finish, and compares it with an uninterrupted run.

    python benchmarks/soak.py                          # extraction, 30 kills
    python benchmarks/soak.py --real                   # videos of the sample set, with the real face detector
    python benchmarks/soak.py --part synth --kills 10  # rendering
    python benchmarks/soak.py --part evaluate --kills 10
    python benchmarks/soak.py --part train --kills 10     # training a classifier, which restarts from scratch

Half of the kills are SIGKILL, half SIGTERM, in random order. Each follows after one to three more files are written, at
a random moment within the time per file; every fifth follows at a random moment after the start. The program runs in a
fork of this process, which has imported everything, so that kills hit work rather than imports. Without `--real`, the
clips are drawn textures and the detector returns a face in the center, so that most kills hit the writing of files.
Prints a row of a table. The exit status is 1 if a byte differs, or if SIGTERM does not end a run with status 143 and
its message, except at its very start and end, when no handler is installed.
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
from functools import partial
from pathlib import Path

import cv2
import numpy as np

import mer.evaluation.evaluate_folder
import mer.extraction.expression
import mer.extraction.extract
from mer.cli import main as run_mer
from mer.face import Face, crop_landmarks
from mer.synth.sample_set import make_sample_set

IMPORTED = (
    mer.extraction.extract,
    mer.evaluation.evaluate_folder,
)  # so that kills hit work rather than imports
LEFT_OUT = {"run.json", ".mer.lock", "scores.json", "report.html"}  # they contain the folder or the command


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


def draw_clips(folder: Path, clips: int = 24, size: int = 96) -> None:
    """Write folders of two frames: a texture, and the same texture shifted by a pixel."""
    noise = np.random.default_rng(0)
    for k in range(clips):
        clip = folder / f"p{k % 4}" / f"c{k:02}"
        clip.mkdir(parents=True)
        texture = cv2.GaussianBlur(noise.integers(0, 256, (size + 2, size + 2, 3)).astype(np.uint8), (0, 0), 2)
        cv2.imwrite(str(clip / "1.png"), cv2.normalize(texture[1:-1, 1:-1], None, 0, 255, cv2.NORM_MINMAX))
        cv2.imwrite(str(clip / "2.png"), cv2.normalize(texture[1:-1, :-2], None, 0, 255, cv2.NORM_MINMAX))
    rows = "".join(f"p{k % 4},c{k:02},2,{'ab'[k % 2]}\n" for k in range(clips))
    (folder / "labels.csv").write_text(f"subject,clip,apex,label\n{rows}")


def face_in_the_center(image: np.ndarray, method: str) -> list[Face]:
    side = min(image.shape[:2])
    return [Face(crop_landmarks(side), np.float32([0, 0, side, side]), 1.0)]


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=("extract", "synth", "evaluate", "train"), default="extract")
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--method", default="farneback")
    parser.add_argument("--real", action="store_true")
    options = parser.parse_args()
    if not options.real:
        mer.extraction.expression.detect_faces = face_in_the_center
    rng = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.part != "synth":
            make = partial(make_sample_set, people=3, clips=3) if options.real else draw_clips
            finish(start([], folder / "log", lambda: make(folder / "videos")), folder / "log")
        extract = ["extract-flow", str(folder / "videos"), "--method", options.method, "--size", "128", "--out"]
        if options.part in ("evaluate", "train"):
            finish(start([*extract, str(folder / "flows")], folder / "log"), folder / "log")
        command = {
            "extract": extract,
            "synth": ["synth", "--preset", "micro", "--pairs", "36", "--size", "96"],
            "evaluate": ["evaluate", str(folder / "flows"), "--model", "symnet", "--seeds", "6", "--report"],
            "train": ["train", "classifier", str(folder / "flows"), "--model", "svm-hoof", "--out"],
        }[options.part]
        target = "model.npz" if options.part == "train" else ""  # a single file: kill at any moment before it exists
        began = time.monotonic()
        finish(start([*command, str(folder / "whole" / target)], folder / "log"), folder / "log")
        whole = digests(folder / "whole")
        pace = (time.monotonic() - began) / len(files(folder / "whole"))

        out, ends, runs, differ, parts = folder / "killed", Counter[int](), 0, 0, 0
        out.mkdir()
        while ends.total() < options.kills:
            runs += 1
            child = start([*command, str(out / target)], folder / "log")
            status = kill(child, out, rng, pace, startup=runs % 5 == 0 or bool(target))
            if not status:  # it ended before or despite the signal: compare, and start over
                differ += digests(out) != whole
                shutil.rmtree(out)
                out.mkdir()
                continue
            ends[status] += 1
            parts += len(list(out.rglob("*.part")))
            if status not in (-9, -15, 143) or (
                status == 143 and "terminated; run the same" not in (folder / "log").read_text()
            ):
                sys.exit(f"ended with {status}: {(folder / 'log').read_text()}")
        finish(start([*command, str(out / target)], folder / "log"), folder / "log")
        differ += digests(out) != whole
        left = len(list(out.rglob("*.part")))
    print("| part | files | SIGKILL | SIGTERM | runs | parts left by kills | parts left at the end | differing |")
    print("|---|---|---|---|---|---|---|---|")
    kills = f"{ends[-9]} | {ends[143] + ends[-15]}"
    print(f"| {options.part} | {len(whole)} | {kills} | {runs + 1} | {parts} | {left} | {differ} |")
    sys.exit(1 if differ or left else 0)


if __name__ == "__main__":
    main()
