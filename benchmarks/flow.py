"""The flow benchmark: facial, head and expression errors of every method on unseen people.

    python benchmarks/flow.py --faces FACES --ict ict_facekit_light.npz --work flow_benchmark --out benchmarks/flow.csv

FACES holds folders of portraits with `landmarks478.json`; only `test` people (:mod:`mer.datasets.person_split`) are
used. `--work` keeps rendered pairs. All data is synthetic. Sets:

micro, ffn
    Rendered by `mer synth --split test` with each face model, once with the portraits and once with generated faces
    (without `--ict`, only MakeHuman).
warped
    Smooth bumps inside the face and a rigid head on photographs, sensor noise, light changes of 0 and 3 %
    (`benchmarks/flow_warped.py`), without a renderer. The shipped network was trained on rendered pairs and on
    photographs warped in a similar manner by other code (`mer.decflow.data.warped_photos`), with other depth, camera
    and sampling.
smiles
    Motions measured between neutral and smiling photographs of real people, shown on photographs of others
    (`benchmarks/flow_smiles.py`). The shipped network was not trained on such motion.
still face
    Warped photographs whose head turns by up to 5 degrees without an expression: expression flow should be zero.
still head
    Warped photographs with an expression and without head motion: head flow should be zero.

Methods with one field get head flow from a rigid fit; all methods get the same landmarks. `no expression` is the
zero-flow baseline. Errors are means over the face, then over pairs, in pixels; `ms` is processor time per pair.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

import cv2
import flow_smiles
import flow_warped
import numpy as np
import pandas as pd

from mer.decflow.data.warped_photos import Photo, read_photos
from mer.evaluation.flow_error import NO_EXPRESSION, expression_size, flow_errors
from mer.extraction.methods import METHODS, estimate_flow, method_status
from mer.flow import Flow
from mer.synth import read_facialflownet
from mer.synth.flow_dataset import Settings, make_dataset

SETS = ["micro", "ffn", "warped", "smiles", "still face", "still head"]
Case = tuple[str, np.ndarray, np.ndarray, Flow, np.ndarray]  # name, onset, apex, true flow, landmarks


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=Path, required=True)
    parser.add_argument("--ict", type=Path, help="ict_facekit_light.npz")
    parser.add_argument("--work", type=Path, default=Path("flow_benchmark"))
    parser.add_argument("--pairs", type=int, default=48, help="pairs per rendered set, model and kind of face")
    parser.add_argument("--people", type=int, default=16, help="people per warped set")
    parser.add_argument("--methods", nargs="+", default=[m for m in METHODS if not method_status(m)])
    parser.add_argument("--weights", help="a file for the lite network instead of the shipped weights")
    parser.add_argument("--sets", nargs="+", default=SETS)
    parser.add_argument("--out", type=Path, help="write the means to this CSV file")
    options = parser.parse_args()
    cv2.setNumThreads(1)

    methods: dict[str, Callable] = {name: partial(estimate_flow, method=name) for name in options.methods}
    if options.weights:
        from mer.decflow.methods import decflow

        methods["decflow"] = partial(decflow, weights=options.weights)
    rows = []
    for name in options.sets:
        rows += [{"set": name, **row} for case in cases(name, options) for row in measure(case, methods)]
        print_table(pd.DataFrame([row for row in rows if row["set"] == name]))
    if options.out:
        groups = pd.DataFrame(rows).groupby(["set", "method", "component"], sort=False)
        means = groups.agg(pairs=("epe", "size"), epe=("epe", "mean"), sd=("epe", "std"), ms=("ms", "median"))
        means.to_csv(options.out, lineterminator="\n", float_format="%.4g")


def cases(name: str, options: argparse.Namespace) -> Iterator[Case]:
    """The pairs of one set."""
    if name in ("micro", "ffn"):
        for data in rendered(name, options):
            for file in read_facialflownet(data, "test"):
                onset, apex, truth = file.load()
                yield f"{data.name}/{file.sequence}/{file.number}", onset, apex, truth, file.landmarks()
        return
    photos = read_photos(sorted(p.parent for p in options.faces.glob("*/landmarks478.json")), "test")
    motions = flow_smiles.smiles(options.faces) if name == "smiles" else []
    indexes = np.unique(np.linspace(0, len(photos) - 1, options.people).round().astype(int))
    for number in indexes:
        if name == "smiles":
            yield from smiles(photos[number], motions, int(number))
        else:
            make = {"warped": warped, "still face": still_face, "still head": still_head}[name]
            yield from make(photos[number], int(number))


def rendered(preset: str, options: argparse.Namespace) -> Iterable[Path]:
    models = {"makehuman": None, **({"ict": str(options.ict)} if options.ict else {})}
    for seed, (model, path) in enumerate(models.items(), start=900):
        for kind, faces in (("portraits", str(options.faces)), ("generated", None)):
            settings = Settings(
                preset=preset, pairs=options.pairs, face_model=model, face_model_path=path, faces=faces, seed=seed,
                frames=5 if preset == "ffn" else None, split="test",
            )  # fmt: skip
            yield make_dataset(options.work / f"{preset}_{model}_{kind}", settings)


def warped(photo: Photo, number: int) -> Iterator[Case]:
    for pair in flow_warped.warped_pairs(photo.file, photo.landmarks.astype(float), [77, number]):
        truth = Flow.split(pair["head"] + pair["expression"], pair["head"], pair["mask"])
        yield f"{photo.file.stem}/{pair['peak']:g}/{pair['light']:g}", *pair["frames"], truth, pair["landmarks"]


def smiles(photo: Photo, motions: list[np.ndarray], number: int) -> Iterator[Case]:
    for pair in flow_smiles.smile_pairs(photo, motions, [80, number]):
        truth = Flow.split(pair["head"] + pair["expression"], pair["head"], pair["mask"])
        yield f"{photo.file.stem}/{pair['peak']:g}", *pair["frames"], truth, pair["landmarks"]


def still_face(photo: Photo, number: int) -> Iterator[Case]:
    for degrees in (1, 3, 5):
        yield from single(photo, [78, number, degrees], degrees, 0.0)


def still_head(photo: Photo, number: int) -> Iterator[Case]:
    for peak in (0.5, 2.0):
        yield from single(photo, [79, number, int(10 * peak)], 0.0, peak)


def single(photo: Photo, seed: list[int], degrees: float, peak: float) -> Iterator[Case]:
    """One pair of a photograph: the head turns by `degrees`, the skin moves by up to `peak` pixels."""
    rng = np.random.default_rng(seed)
    rendering = flow_warped.Rendering(photo.file, photo.landmarks.astype(float))
    axis = rng.normal(0, 1, 3)
    turn = np.radians(degrees) * axis / np.linalg.norm(axis)
    head = flow_warped.head_field(rendering.points, rendering.grid, rng, turn)
    expression = np.zeros_like(head)
    if peak:
        expression = flow_warped.expression_field(rendering.points, rendering.grid, peak, rng)
    frames = [rendering(rendering.grid), rendering(flow_warped.inverse(head + expression, rendering.grid))]
    noisy = [np.clip(np.rint(f + rng.normal(0, flow_warped.NOISE, f.shape)), 0, 255).astype(np.uint8) for f in frames]
    fields = [flow_warped.on_pixels(field) for field in (head + expression, head)]
    landmarks = rendering.points + rng.normal(0, flow_warped.LANDMARK_NOISE, rendering.points.shape)
    yield f"{photo.file.stem}/{degrees:g}/{peak:g}", *noisy, Flow.split(*fields, rendering.mask), landmarks


def measure(case: Case, methods: dict[str, Callable]) -> Iterator[dict]:
    name, onset, apex, truth, landmarks = case
    for method, function in methods.items():
        began = time.process_time()
        flow = function(onset, apex, landmarks=landmarks)
        ms = 1000 * (time.process_time() - began)
        for row in flow_errors(flow, truth):
            if row["part"] == "face":
                yield {"pair": name, "method": method, "component": row["component"], "epe": row["epe"], "ms": ms}
    size = expression_size(truth)[0]["epe"]
    for component, epe in (("facial", size), ("head", 0.0), ("expression", size)):
        yield {"pair": name, "method": NO_EXPRESSION, "component": component, "epe": epe, "ms": 0.0}


def print_table(table: pd.DataFrame) -> None:
    means = table.pivot_table(index="method", columns="component", values="epe", sort=False)
    means["ms"] = table.groupby("method")["ms"].median()
    none = means.loc[NO_EXPRESSION, "expression"]
    if none > 0:
        means["of none"] = means["expression"] / none  # expression error relative to zero flow
    print(f"\n{table['set'].iloc[0]}: {table['pair'].nunique()} pairs (synthetic); endpoint error, px\n")
    print(means.round(3).to_string(), flush=True)


if __name__ == "__main__":
    main()
