"""Benefit of pre-training a network on rendered micro-expressions.

    python benchmarks/pretraining.py --ict ict_facekit_light.npz --model symnet --model ststnet

The labeled clips show 68 rendered people of ICT-FaceKit, 7 clips each, in the classes of the composite protocol, with
degraded flow stored like published images of 28 x 28; eight folds by person. Pre-training uses people of MakeHuman with
the same degradation. Both sets include drawn people. **All clips are synthetic**: the scores compare training methods
and do not predict accuracy on real people.

The columns are the UF1 of networks with random initial weights (`random`), with pre-trained weights (`pre-trained`),
with pre-trained weights at the full published learning rate instead of a tenth of it (`full rate`), and without
training on labeled clips (`no labels`).
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
# Column -> settings of the classifier; `pretrained` is replaced by the weights.
METHODS: dict[str, dict[str, Any]] = {
    "random": {},
    "pre-trained": {"pretrained": True},
    "full rate": {"pretrained": True, "pretrained_rate": 1.0},
    "no labels": {"pretrained": True, "epochs": 0},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ict", required=True, help="file or folder of ICT-FaceKit Light")
    parser.add_argument("--model", action="append", choices=PRETRAINABLE, help="may be given more than once")
    parser.add_argument("--people", type=int, default=1600, help="rendered people for pre-training, 12 clips each")
    parser.add_argument("--labeled", type=int, nargs="+", default=[PEOPLE, 16], help="numbers of labeled people")
    parser.add_argument("--seed", type=int, default=2019)
    arguments = parser.parse_args()
    rendered = micro_flows([load_face_model("makehuman")], arguments.people, seed=arguments.seed + 1)
    labeled = micro_flows([load_face_model("ict", arguments.ict)], PEOPLE, CLIPS, arguments.seed)
    print(f"{'network':14} {'people':>6}  " + "  ".join(f"{method:>11}" for method in METHODS))
    with tempfile.TemporaryDirectory() as folder:
        for name in arguments.model or ("symnet",):
            weights = Path(folder) / f"{name}.safetensors"
            start = time.perf_counter()
            pretrain(name, rendered, weights, {"data": "rendered micro-expressions", "faces": ["makehuman", "drawn"]})
            seconds = time.perf_counter() - start
            for people in arguments.labeled:
                scores = [score(name, weights, settings, labeled, people) for settings in METHODS.values()]
                print(f"{name:14} {people:6}  " + "  ".join(f"{uf1:11.3f}" for uf1 in scores), flush=True)
            print(f"{name}: {seconds:.0f} s for pre-training", flush=True)


def score(name: str, weights: Path, settings: dict[str, Any], labeled: MicroFlows, people: int) -> float:
    """Pooled UF1 of folds by person, for the first `people`."""
    included = labeled.people < people
    X = np.stack([as_8bit_image(flow) for flow in labeled.flows[included]])
    y, owner = labeled.labels[included], labeled.people[included]
    model = new_model(name, 0)
    model[-1].set_params(**{**settings, **({"pretrained": weights} if "pretrained" in settings else {})})
    predictions = np.empty(len(y), object)
    for train, test in GroupKFold(FOLDS).split(X, y, owner):
        predictions[test] = clone(model).fit(X[train], y[train]).predict(X[test])
    return float(f1_score(y, predictions.astype(str), average="macro"))


if __name__ == "__main__":
    main()
