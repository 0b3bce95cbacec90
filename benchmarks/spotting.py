"""Measure spotting on rendered long videos with exact labels.

    python benchmarks/spotting.py DIR --faces london/ canada/ --split train     # to choose settings
    python benchmarks/spotting.py DIR --faces london/ canada/ --split test      # to report
    python benchmarks/spotting.py DIR --memory 1 4 16                           # memory for videos of 1, 4, 16 minutes

Videos and measured motion are stored in DIR, so a second run resumes. Each person sits, sways, nods, blinks, glances,
swallows, talks, and occasionally shows a micro- or macro-expression. The first table has precision, recall and F1 of
the intervals (IoU 0.5, one to one, all videos pooled) for each flow method, and the events behind false intervals. The
second has the apex error in frames, given the true onset and offset, by flow, by strain and at the midpoint. `--memory`
instead measures the peak memory of `mer spot` on a video at 200 frames per second in which a rendered face repeats its
motion. All data are synthetic. `--write` stores the rows in benchmarks/spotting.csv.
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
    """Render the videos of a split, `labels.csv` and `distractors.csv`; people are taken from each folder in turn."""
    rng = np.random.default_rng([3, settings.seed])
    groups = []
    for k, path in enumerate(faces):
        by_name = {p.name: p for p in find_people(path, folder.parent / f"faces_{k}.json") if split_of(p.name) == split}
        names = sorted(by_name)
        groups.append([by_name[names[i]] for i in rng.permutation(len(names))[:people]])
    in_turn = [group[i] for i in range(people) for group in groups if i < len(group)]
    rows, distractors = [], []
    for number, person in enumerate(in_turn[:people] if groups else [None] * people, start=1):
        clip = make_long_video(folder, number, settings, person)
        rows += label_rows(number, clip)
        distractors += [(f"s{number:02d}", *span) for span in clip.distractors]
    pd.DataFrame(distractors, columns=["subject", "what", "first", "last"]).to_csv(
        folder / "distractors.csv", index=False
    )
    table = pd.DataFrame(rows)
    table.to_csv(folder / "labels.csv", index=False)
    return table


def motion_of(video: Path, method: str) -> Motion:
    """The motion of a video, cached beside it."""
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
            selected = matches if row["kind"] == "overall" else matches[matches["kind"] == row["kind"]]
            right, wrong = selected[selected["outcome"] == "TP"], selected[selected["outcome"] == "FP"]
            error = (right["spotted_apex"] - right["apex"]).abs()
            row["apex_error"] = float(error.mean()) if len(error) else float("nan")
            row["false_in"] = " ".join(f"{what} {n}" for what, n in causes(wrong, distractors).items())
            rows.append({"table": "intervals", "method": method, **row})
    return rows


def causes(wrong: pd.DataFrame, distractors: pd.DataFrame) -> dict[str, int]:
    """Number of false intervals during which each kind of distractor occurred; an interval may count several times."""
    counts: dict[str, int] = {}
    for row in wrong.to_dict("records"):
        of_subject = distractors[distractors["subject"] == row["subject"]]
        during = of_subject[
            (of_subject["first"] <= row["spotted_offset"]) & (of_subject["last"] >= row["spotted_onset"])
        ]
        for kind in sorted(set(during["what"])) or ["nothing"]:
            counts[kind] = counts.get(kind, 0) + 1
    return counts


def apex_rows(folder: Path, labels: pd.DataFrame, methods: list[str]) -> list[dict]:
    """Apex errors of micro-expressions in frames, given the true onset and offset."""
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
                apex = find_apex(crops[0], crops[1:], landmarks, by=key[1], method=key[0])
                positions[key] = middle if apex is None else apex
            for key, position in positions.items():
                errors.setdefault(key, []).append(numbers[1:][position] - row["apex"])
    return [
        {"table": "apex", "method": method, "by": by, "kind": "micro", "annotated": len(values),
         "apex_error": float(np.abs(values).mean()), "within_1": float((np.abs(values) <= 1).mean())}
        for (method, by), values in errors.items()
    ]  # fmt: skip


def memory_rows(folder: Path, minutes: list[float], fps: int = 200) -> list[dict]:
    """Peak memory and time of `mer spot` by length of the video."""
    settings = LongVideoSettings(seconds=3.0, fps=fps, micro=1, macro=0, talk=0.0, head_motion=0.0, seed=4)
    make_long_video(folder / "memory", 1, settings)
    clip = open_clip(folder / "memory" / "s01" / "video.mp4")
    forward = [image for _, image in clip.frames(clip.numbers)]
    palindrome = folder / "memory" / "there_and_back.mp4"  # repeats without a jump
    write_video(palindrome, forward + forward[::-1], settings.size, fps)
    rows = []
    for length in minutes:
        video = folder / "memory" / f"{length:g}_minutes.mp4"
        repeat(palindrome, video, round(length * 60 / (2 * settings.seconds)))
        start = time.monotonic()
        command = [sys.executable, "-m", "mer", "spot", str(video), "--out", str(video.with_suffix(""))]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            raise SystemExit(f"{' '.join(command)} exited with status {status}")
        rows.append(
            {"table": "memory", "method": METHOD, "minutes": length, "megabytes": usage.ru_maxrss * 1024 / 1e6,
             "seconds": time.monotonic() - start, "fps": fps}
        )  # fmt: skip
    if len(rows) > 1:
        first, last = rows[0], rows[-1]
        slope = (last["megabytes"] - first["megabytes"]) / (last["minutes"] - first["minutes"])
        hour = last["megabytes"] + slope * (60 - last["minutes"])
        print(f"{slope:.2f} MB per minute; extrapolated to an hour: {hour:.0f} MB")
    return rows


def repeat(video: Path, out: Path, times: int) -> None:
    """Concatenate a video with itself, without encoding it again."""
    with av.open(str(out), "w") as output:
        stream, shift = None, 0
        for _ in range(times):
            with av.open(str(video)) as once:
                source = once.streams.video[0]
                stream = stream or output.add_stream_from_template(source)
                for packet in once.demux(source):
                    if packet.dts is None:  # the end
                        continue
                    packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                    packet.stream = stream
                    output.mux(packet)
                shift += source.duration


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument(
        "--faces", type=Path, nargs="*", default=[], help="folders of photographs; faces are generated by default"
    )
    parser.add_argument("--split", choices=SPLITS, default="test")
    parser.add_argument("--people", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--fps", type=int, default=25)
    parser.add_argument("--size", type=int, default=192)
    parser.add_argument("--methods", nargs="*", default=["dis", "decflow"])
    parser.add_argument("--apex-methods", nargs="*", default=["dis", "tvl1", "decflow"])
    parser.add_argument("--memory", type=float, nargs="*", metavar="MINUTES", help="measure only memory")
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
