"""Accuracy of zero-shot reading on photographs that were moved by a face model, with flow by TV-L1.

    python benchmarks/zero_shot.py --faces assets/faces/sfhq assets/faces/canada --ict ict_facekit_light.npz
    python benchmarks/zero_shot.py ... --train          # also train networks without the tested face model
    python benchmarks/zero_shot.py --ict ict_facekit_light.npz --write     # train the networks shipped with mer

A set imitates the composite protocol of MEGC 2019: 442 clips of 68 people in three databases, which differ in crop,
noise, head motion and accuracy of the apex. Each person is a photograph, moved by the action units with which the
person shows a class, by the head and by blinks. TV-L1 estimates the flow, which is stored like published images of 28 x
28. One label in ten is random. All clips are synthetic: the scores compare models and do not predict accuracy on real
people.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from sklearn.metrics import f1_score
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import Pipeline

from mer.face import align, crop
from mer.face.align import CROP_CENTER, CROP_SCALE
from mer.models import new_model
from mer.models.synthetic_prior import zero_shot, zero_shot_strict
from mer.models.zero_shot_classifier import WEIGHTS
from mer.models.zero_shot_training import save_weights, train_networks
from mer.synth import load_face_model
from mer.synth.drawn_motions import drawn_motions
from mer.synth.expressions import CLASS_COUNTS
from mer.synth.flow_degradation import as_8bit_image
from mer.synth.micro_flows import micro_flows, peak_length
from mer.synth.unit_motions import (
    UNITS,
    UnitMotions,
    draw_intensities,
    expression_flow,
    face_motions,
    head_flow,
)

SIZE = 224
# People, clips of each class, box, head motion, noise in gray levels, range of the motion shown at the apex.
DATABASES = {
    "smic": (16, (70, 51, 43), (-0.82, -0.55, 0.82, 1.30), 1.2, 3.0, (0.3, 1.0)),
    "casme2": (24, (88, 32, 25), (-0.78, -0.42, 0.78, 1.25), 0.5, 1.5, (0.8, 1.0)),
    "samm": (28, (92, 26, 15), (-0.85, -0.75, 0.85, 1.35), 1.2, 2.0, (0.8, 1.0)),
}
LABELS = list(CLASS_COUNTS)


def find_faces(folders: list[Path]) -> list[tuple[Path, np.ndarray]]:
    """Photographs and their landmarks `(478, 3)`."""
    faces = []
    for folder in folders:
        table = json.loads((folder / "landmarks478.json").read_text())
        faces += [(folder / name, np.array(table[name]["lm"], float)) for name in sorted(table)]
    return faces


def make_set(
    faces: list[tuple[Path, np.ndarray]], person: str, models: dict, seed: int, motion: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Flow images `(n, 28, 28, 2)`, classes `(n,)` and people `(n,)`; `motion` is the median over clips of the largest
    motion, interocular distances.
    """
    rng = np.random.default_rng(seed)
    order, used = rng.permutation(len(faces)), 0
    X, y, owners = [], [], []
    for name, (people, counts, box, head, noise, shown) in DATABASES.items():
        labels = rng.permutation(np.repeat(LABELS, counts))
        who = rng.choice(people, len(labels), p=rng.dirichlet(np.full(people, 2.0)))
        for number in np.unique(who):
            path, landmarks = faces[order[used % len(faces)]]
            used += 1
            picture = cv2.cvtColor(crop(cv2.imread(str(path)), align(landmarks, SIZE)), cv2.COLOR_BGR2GRAY)
            motions = drawn_motions(rng) if person == "drawn" else face_motions(models[person], rng)
            own_box = np.array(box) + rng.normal(0, 0.03, 4)
            amount, restless = motion * np.exp(rng.normal(0, 0.4)), head * np.exp(rng.normal(0, 0.5))
            habits = {label: [draw_intensities(label, rng, 1.0) for _ in range(3)] for label in LABELS}
            for label in labels[who == number]:
                shows = str(rng.choice(LABELS)) if rng.random() < 0.1 else str(label)
                usual = habits[shows][rng.choice(3, p=[0.5, 0.3, 0.2])]
                units = usual if rng.random() < 0.7 else draw_intensities(shows, rng, 1.0)
                flow = _flow(motions, units * rng.uniform(0.6, 1, len(UNITS)), amount * rng.uniform(*shown), rng)
                flow += head_flow(motions, rng.normal(0, [0.01, 0.01, 0.006, 0.01, 0.01, 0.006]) * restless)
                X.append(_estimated(picture, flow, own_box, noise, rng))
                y.append(str(label))
                owners.append(f"{name}/{number}")
    return np.stack(X), np.array(y), np.array(owners)


def _flow(motions: UnitMotions, units: np.ndarray, amount: float, rng: np.random.Generator) -> np.ndarray:
    flow = expression_flow(motions, units)
    flow *= np.clip(amount * np.exp(rng.normal(0, 0.45)), 0.003, 0.05) / peak_length(flow)
    if rng.random() < 0.15:
        blink = np.zeros(len(UNITS))
        blink[[UNITS.index("L45"), UNITS.index("R45")]] = rng.uniform(0.05, 0.6)
        flow = flow + expression_flow(motions, blink)
    return flow


def _estimated(
    picture: np.ndarray, flow: np.ndarray, box: np.ndarray, noise: float, rng: np.random.Generator
) -> np.ndarray:
    """TV-L1 flow between a photograph and its copy moved by `flow`, stored like a published image."""
    move = cv2.resize(flow, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC) * np.float32(CROP_SCALE * SIZE)
    y, x = np.mgrid[:SIZE, :SIZE].astype(np.float32)
    moved = cv2.remap(picture, x - move[..., 0], y - move[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    scale, width, height = CROP_SCALE * SIZE, 140, 170
    corner = (SIZE - 1) / 2 - scale * np.array(CROP_CENTER[:2]) + scale * box[:2]
    step = scale * (box[2:] - box[:2]) / [width, height]
    matrix = np.array([[step[0], 0, corner[0]], [0, step[1], corner[1]]])
    frames = []
    for image, light in ((picture, 1.0), (moved, 1 + rng.normal(0, 0.008))):
        shown = cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
        frames.append(np.clip(shown * light + rng.normal(0, noise, shown.shape), 0, 255).astype(np.uint8))
    tvl1 = cv2.optflow.DualTVL1OpticalFlow_create(nscales=4, warps=3, epsilon=0.02, outerIterations=5)
    return as_8bit_image(cv2.resize(tvl1.calc(*frames, None), (28, 28), interpolation=cv2.INTER_AREA))


def score_on_unseen_people(make: object, X: np.ndarray, y: np.ndarray, owner: np.ndarray) -> float:
    """Pooled UF1 of ten folds by person."""
    predictions = np.empty(len(y), object)
    rows = X.reshape(len(X), -1)
    for train, test in GroupKFold(10).split(rows, y, owner):
        predictions[test] = new_model(make).fit(rows[train], y[train]).predict(rows[test])
    return float(f1_score(y, predictions.astype(str), average="macro", labels=LABELS))


def _score(make: Callable[..., Pipeline], weights: Path, rows: np.ndarray, y: np.ndarray) -> float:
    """UF1 of networks trained on other data, adapted to all clips of the set or to none."""
    predictions = make(weights=weights).fit(rows, y).predict(rows)
    return float(f1_score(y, predictions, average="macro", labels=LABELS))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=Path, nargs="*", default=[], help="folders with landmarks478.json")
    parser.add_argument("--ict", help="file or folder of ICT-FaceKit Light")
    parser.add_argument("--moved-by", nargs="*", help="makehuman, ict or drawn (default: all)")
    parser.add_argument("--motion", type=float, default=0.01, help="median largest motion; 0.02 is easy")
    parser.add_argument("--people", type=int, default=2800, help="rendered people for training")
    parser.add_argument("--networks", type=int, default=3)
    parser.add_argument("--train", action="store_true", help="also train networks without the tested face model")
    parser.add_argument(
        "--write",
        type=Path,
        nargs="?",
        const=WEIGHTS,
        help=f"train on all face models and write the weights (default: {WEIGHTS.name})",
    )
    parser.add_argument("--weights", type=Path, nargs="+", default=[], help="also score these networks")
    parser.add_argument("--seed", type=int, default=0, help="for --write")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    models = {"makehuman": load_face_model("makehuman")}
    if arguments.ict:
        models["ict"] = load_face_model("ict", arguments.ict)
    if arguments.write:
        rendered = micro_flows([*models.values()], arguments.people, seed=arguments.seed)
        record = {"data": "rendered micro-expressions", "faces": [*models, "drawn"], "people": arguments.people,
                  "clips": len(rendered.labels), "networks": arguments.networks, "seed": arguments.seed,
                  "torch": torch.__version__.partition("+")[0]}  # fmt: skip
        networks = train_networks(rendered, arguments.networks, seed=arguments.seed)
        save_weights(networks, arguments.write, record)
        print(f"{arguments.write}: SHA-256 {hashlib.sha256(arguments.write.read_bytes()).hexdigest()}", flush=True)
    if not arguments.faces:
        return
    faces = find_faces(arguments.faces)
    print("people moved by    model              UF1")
    for k, person in enumerate([*models, "drawn"]):
        if arguments.moved_by and person not in arguments.moved_by:
            continue
        start = time.perf_counter()
        X, y, owner = make_set(faces, person, models, k, arguments.motion)
        print(f"{person}: {len(y)} clips of {len(set(owner))} people, {time.perf_counter() - start:.0f} s", flush=True)
        for name in ("svm-hoof", "zero-shot-strict", "zero-shot", "svm-hoof-synth"):
            print(f"{person:18} {name:18} {score_on_unseen_people(name, X, y, owner):.3f}", flush=True)
        rows = X.reshape(len(X), -1)
        for weights in arguments.weights:
            for make in (zero_shot_strict, zero_shot):
                print(f"{person:18} {make.__name__}, {weights}: {_score(make, weights, rows, y):.3f}", flush=True)
        if arguments.train and person in models:
            others = [model for name, model in models.items() if name != person]
            weights = Path(f"zero_shot_without_{person}.safetensors")
            save_weights(train_networks(micro_flows(others, arguments.people), 1), weights, {"without": person})
            for make in (zero_shot_strict, zero_shot):
                score = _score(make, weights, rows, y)
                print(f"{person:18} {make.__name__}, trained without {person}: {score:.3f}", flush=True)


if __name__ == "__main__":
    main()
