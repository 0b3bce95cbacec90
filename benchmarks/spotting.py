"""Spotting, measured on rendered long videos, whose expressions are known to the frame.

    python benchmarks/spotting.py DIR --faces london/ canada/ --split train     # to choose settings by
    python benchmarks/spotting.py DIR --faces london/ canada/ --split test      # to report
    python benchmarks/spotting.py DIR --memory 1 4 16                           # of videos of so many minutes

Videos are rendered into DIR and motions are kept there, so that a second run goes on. Each person sits, sways, nods,
blinks, glances, swallows, talks, and now and then shows a micro- or a macro-expression. Two tables: precision, recall,
F1 of the intervals (IoU 0.5, one to one, all videos pooled), by the flow that the motion was measured with, and what
was taken for an expression; and how many frames the apex is off where onset and offset are known, by flow, by strain
and at the midpoint. With `--memory`, another: the most memory that `mer spot` takes of a video at 200 frames a second,
in which a rendered face does the same again and again. All of it is synthetic. `--write` keeps the rows in
benchmarks/spotting.csv.
"""

from __future__ import annotations

import argparse
import itertools
import os
import subprocess
import sys
import time
from pathlib import Path

import av
import cv2
import numpy as np
import pandas as pd
from long_video import LongVideoSettings, label_rows, make_long_video

from mer.datasets.person_split import SPLITS, split_of
from mer.datasets.video import open_clip, write_video
from mer.extraction.apex import find_apex
from mer.extraction.settings import FACES
from mer.face import align, crop, detect_faces, transform
from mer.spotting.face_motion import SIZE, Motion, track_face
from mer.spotting.intervals import find_intervals
from mer.spotting.scores import match, score
from mer.spotting.spot_video import METHOD
from mer.synth.people import find_people

TABLE = Path(__file__).with_name("spotting.csv")


def render(folder: Path, faces: list[Path], split: str, people: int, settings: LongVideoSettings) -> pd.DataFrame:
    """The videos of a split, and `labels.csv` with a column `distractors`; persons are taken from each set in turn."""
    rng = np.random.default_rng([3, settings.seed])
    sets = []
    for k, path in enumerate(faces):
        own = {p.name: p for p in find_people(path, folder.parent / f"faces_{k}.json") if split_of(p.name) == split}
        names = sorted(own)
        sets.append([own[names[i]] for i in rng.permutation(len(names))[:people]])
    chosen = [each[i] for i in range(people) for each in sets if i < len(each)][:people] if sets else [None] * people
    rows, others = [], []
    for number, person in enumerate(chosen, start=1):
        clip = make_long_video(folder, number, settings, person)
        rows += label_rows(number, clip)
        others += [(f"s{number:02d}", *span) for span in clip.distractors]
    pd.DataFrame(others, columns=["subject", "what", "first", "last"]).to_csv(folder / "distractors.csv", index=False)
    table = pd.DataFrame(rows)
    table.to_csv(folder / "labels.csv", index=False)
    return table


def motion_of(video: Path, method: str) -> Motion:
    """The motion of a video, kept beside it."""
    file = video.with_name(f"{method}-{SIZE}.npz")
    if not file.exists():
        clip = open_clip(video)
        motion = track_face(clip, clip.numbers, clip.times, clip.fps, method, FACES["largest"])
        np.savez(
            file, numbers=motion.numbers, times=motion.times, rate=motion.rate, sites=motion.sites, head=motion.head
        )
    with np.load(file, allow_pickle=False) as kept:
        return Motion(
            kept["numbers"], kept["times"], float(kept["rate"]), kept["sites"], kept["head"], []
        )  # fmt: skip


def spotted(folder: Path, method: str) -> pd.DataFrame:
    parts = []
    for video in sorted(folder.glob("*/video.mp4")):
        intervals = find_intervals(motion_of(video, method))[1]
        parts.append(intervals.assign(dataset="synthetic", subject=video.parent.name, clip="video"))
    return pd.concat(parts, ignore_index=True)


def interval_rows(folder: Path, labels: pd.DataFrame, methods: list[str]) -> list[dict]:
    truth = labels.assign(dataset="synthetic")
    distractors = pd.read_csv(folder / "distractors.csv")
    rows = []
    for method in methods:
        matches = match(truth, spotted(folder, method))
        for row in score(matches).to_dict("records"):
            own = matches if row["kind"] == "overall" else matches[matches["kind"] == row["kind"]]
            right, wrong = own[own["outcome"] == "TP"], own[own["outcome"] == "FP"]
            error = (right["spotted_apex"] - right["apex"]).abs()
            row["apex_error"] = float(error.mean()) if len(error) else float("nan")
            row["false_in"] = " ".join(f"{what} {n}" for what, n in causes(wrong, distractors).items())
            rows.append({"table": "intervals", "method": method, **row})
    return rows


def causes(wrong: pd.DataFrame, distractors: pd.DataFrame) -> dict[str, int]:
    """What went on during intervals that are no expression; several things may."""
    counts: dict[str, int] = {}
    for row in wrong.to_dict("records"):
        own = distractors[distractors["subject"] == row["subject"]]
        during = own[(own["first"] <= row["spotted_offset"]) & (own["last"] >= row["spotted_onset"])]
        for what in sorted(set(during["what"])) or ["nothing"]:
            counts[what] = counts.get(what, 0) + 1
    return counts


def apex_rows(folder: Path, labels: pd.DataFrame, methods: list[str]) -> list[dict]:
    """The apex between the true onset and offset, of micro-expressions: errors in frames."""
    errors: dict[tuple[str, str], list[float]] = {}
    for subject, own in labels[labels["kind"] == "micro"].groupby("subject"):
        clip = open_clip(folder / str(subject) / "video.mp4")
        for row in own.to_dict("records"):
            numbers = [n for n in clip.numbers if row["onset"] <= n <= min(row["offset"], clip.numbers[-1])]
            frames = [image for _, image in clip.frames(numbers)]
            faces = detect_faces(frames[0])
            if not faces:
                continue
            alignment = align(faces[0].landmarks, 128)
            crops = [crop(frame, alignment) for frame in frames]
            landmarks = transform(faces[0].landmarks, alignment.matrix)
            middle = (len(crops) - 2) // 2
            positions = {("", "midpoint"): middle}
            for key in itertools.product(methods, ("flow", "strain")):
                found = find_apex(crops[0], crops[1:], landmarks, by=key[1], method=key[0])
                positions[key] = middle if found is None else found
            for key, position in positions.items():
                errors.setdefault(key, []).append(numbers[1:][position] - row["apex"])
    return [
        {"table": "apex", "method": method, "by": by, "kind": "micro", "annotated": len(values),
         "apex_error": float(np.abs(values).mean()), "within_1": float((np.abs(values) <= 1).mean())}
        for (method, by), values in errors.items()
    ]  # fmt: skip


def memory_rows(folder: Path, minutes: list[float], fps: int = 200) -> list[dict]:
    """The most memory and the time that `mer spot` takes, by the length of the video."""
    settings = LongVideoSettings(seconds=3.0, fps=fps, micro=1, macro=0, talk=0.0, head_motion=0.0, seed=4)
    make_long_video(folder / "memory", 1, settings)
    clip = open_clip(folder / "memory" / "s01" / "video.mp4")
    there = [image for _, image in clip.frames(clip.numbers)]
    both = folder / "memory" / "there_and_back.mp4"  # so that nothing jumps where it begins again
    write_video(both, there + there[::-1], settings.size, fps)
    rows = []
    for length in minutes:
        video = folder / "memory" / f"{length:g}_minutes.mp4"
        repeat(both, video, round(length * 60 / (2 * settings.seconds)))
        began = time.monotonic()
        command = [sys.executable, "-m", "mer", "spot", str(video), "--out", str(video.with_suffix(""))]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            raise SystemExit(f"{' '.join(command)} ended with status {status}")
        rows.append(
            {"table": "memory", "method": METHOD, "minutes": length, "megabytes": usage.ru_maxrss * 1024 / 1e6,
             "seconds": time.monotonic() - began, "fps": fps}
        )  # fmt: skip
    if len(rows) > 1:
        first, last = rows[0], rows[-1]
        slope = (last["megabytes"] - first["megabytes"]) / (last["minutes"] - first["minutes"])
        hour = last["megabytes"] + slope * (60 - last["minutes"])
        print(f"{slope:.2f} MB a minute; an hour, extrapolated: {hour:.0f} MB")
    return rows


def repeat(video: Path, out: Path, times: int) -> None:
    """The same video so many times in a row, without encoding it again."""
    with av.open(str(out), "w") as longer:
        stream, shift = None, 0
        for _ in range(times):
            with av.open(str(video)) as once:
                source = once.streams.video[0]
                stream = stream or longer.add_stream_from_template(source)
                for packet in once.demux(source):
                    if packet.dts is None:  # the end
                        continue
                    packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                    packet.stream = stream
                    longer.mux(packet)
                shift += source.duration


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument(
        "--faces", type=Path, nargs="*", default=[], help="photographs; else faces that belong to nobody"
    )
    parser.add_argument("--split", choices=SPLITS, default="test")
    parser.add_argument("--people", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--fps", type=int, default=25)
    parser.add_argument("--size", type=int, default=192)
    parser.add_argument("--methods", nargs="*", default=["dis", "decflow"])
    parser.add_argument("--apex-methods", nargs="*", default=["dis", "tvl1", "decflow"])
    parser.add_argument("--memory", type=float, nargs="*", metavar="MINUTES", help="only the table of memory")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    seed = {"train": 1, "test": 2, "val": 3}[options.split]
    settings = LongVideoSettings(seconds=options.seconds, fps=options.fps, seed=seed, size=options.size)
    if options.memory:
        table = pd.DataFrame(memory_rows(options.folder, options.memory))
    else:
        folder = options.folder / options.split
        labels = render(folder, options.faces, options.split, options.people, settings)
        rows = interval_rows(folder, labels, options.methods) + apex_rows(folder, labels, options.apex_methods)
        table = pd.DataFrame(rows).assign(split=options.split, people=options.people, fps=options.fps)
    print(table.round(3).to_string())
    if options.write:
        others = pd.read_csv(TABLE)
        others = others[~others["table"].isin(table["table"])]
        pd.concat([others, table.round(4)]).convert_dtypes().to_csv(TABLE, index=False, lineterminator="\n")


if __name__ == "__main__":
    main()
