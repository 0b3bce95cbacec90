"""What it is worth for a network to have seen rendered micro-expressions before the labeled clips.

    python benchmarks/pretraining.py --ict ict_facekit_light.npz --model symnet --model ststnet

The labeled clips are those of 68 rendered people of ICT-FaceKit, 7 each, in the classes of the composite protocol, with
the faults of estimated flow, as published images of 28 x 28 have them; eight folds by person. What is seen before are
people of MakeHuman, with the same faults: the two face models move differently, as people and models do. Hand-drawn
people are a share of both. **Everything is synthetic**: the scores tell ways of training apart, and say nothing about
real people.

`nothing` is a network that starts from random weights, `before` one that has seen rendered clips, `full rate` the same
at the published learning rate instead of a tenth of it, `alone` one that has seen nothing else: UF1 of each.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.metrics import f1_score
from sklearn.model_selection import GroupKFold

from mer.models import new_model
from mer.models.pretraining import PRETRAINABLE, pretrain
from mer.synth import load_face_model
from mer.synth.flow_degradation import as_8bit_image
from mer.synth.micro_flows import MicroFlows, micro_flows

PEOPLE, CLIPS, FOLDS = 68, 7, 8
# What a network is fitted with: `pretrained` is put in where it says True.
WAYS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "before": {"pretrained": True},
    "full rate": {"pretrained": True, "pretrained_rate": 1.0},
    "alone": {"pretrained": True, "epochs": 0},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ict", required=True, help="file or folder of ICT-FaceKit Light")
    parser.add_argument("--model", action="append", choices=PRETRAINABLE, help="may be given more than once")
    parser.add_argument("--people", type=int, default=1600, help="rendered people that are seen before, 12 clips each")
    parser.add_argument("--labeled", type=int, nargs="+", default=[PEOPLE, 16], help="people with labels")
    parser.add_argument("--seed", type=int, default=2019)
    arguments = parser.parse_args()
    before = micro_flows([load_face_model("makehuman")], arguments.people, seed=arguments.seed + 1)
    labeled = micro_flows([load_face_model("ict", arguments.ict)], PEOPLE, CLIPS, arguments.seed)
    print(f"{'network':14} {'people':>6}  " + "  ".join(f"{way:>11}" for way in WAYS))
    with tempfile.TemporaryDirectory() as folder:
        for name in arguments.model or ("symnet",):
            weights = Path(folder) / f"{name}.safetensors"
            start = time.perf_counter()
            pretrain(name, before, weights, {"data": "rendered micro-expressions", "faces": ["makehuman", "drawn"]})
            spent = time.perf_counter() - start
            for people in arguments.labeled:
                found = [score(name, weights, settings, labeled, people) for settings in WAYS.values()]
                print(f"{name:14} {people:6}  " + "  ".join(f"{uf1:11.3f}" for uf1 in found), flush=True)
            print(f"{name}: {spent:.0f} s to see the clips before", flush=True)


def score(name: str, weights: Path, settings: dict[str, Any], labeled: MicroFlows, people: int) -> float:
    """UF1 over all clips of the first `people`, each read by a network that was fitted without its person."""
    mine = labeled.people < people
    X = np.stack([as_8bit_image(flow) for flow in labeled.flows[mine]])
    y, owner = labeled.labels[mine], labeled.people[mine]
    model = new_model(name, 0)
    model[-1].set_params(**{**settings, **({"pretrained": weights} if "pretrained" in settings else {})})
    answers = np.empty(len(y), object)
    for train, test in GroupKFold(FOLDS).split(X, y, owner):
        answers[test] = clone(model).fit(X[train], y[train]).predict(X[test])
    return float(f1_score(y, answers.astype(str), average="macro"))


if __name__ == "__main__":
    main()
