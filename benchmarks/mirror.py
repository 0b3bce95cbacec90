"""Benefit of fitting a classifier to faces and their mirror images.

    python benchmarks/mirror.py                                    # MakeHuman and drawn faces
    python benchmarks/mirror.py --ict ict_facekit_light.npz        # also ICT-FaceKit
    python benchmarks/mirror.py --model ensemble --model symnet

68 rendered people with 7 clips each, in the classes of the composite protocol, with degraded flow stored like published
images of 28 x 28; eight folds by person. Half of the people are of the face model or drawn, half are mixtures. **All
clips are synthetic**: the scores compare classifiers and do not predict accuracy on real people.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
from sklearn.metrics import f1_score
from sklearn.model_selection import GroupKFold

from mer.models import new_model
from mer.models.mirror_ensemble import ensemble
from mer.synth import load_face_model
from mer.synth.flow_degradation import as_8bit_image
from mer.synth.micro_flows import micro_flows

PEOPLE, CLIPS, FOLDS = 68, 7, 8
NAMES = ("svm-hoof", "svm-linear", "logistic", "ensemble", "ensemble without mirror images")


def without_mirror_images() -> Any:
    """`ensemble` without mirror images."""
    model = ensemble()
    twins = model.steps[-1][1]
    return model.set_params(features=_First(model[0]), classifier=twins.classifier)


class _First:
    """The first half of the features, without those of the mirror image."""

    def __init__(self, features: Any) -> None:
        self.features = features

    def fit(self, X: np.ndarray, y: object = None) -> _First:
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        return np.hsplit(self.features.transform(X), 2)[0]


def score(name: str, X: np.ndarray, y: np.ndarray, owner: np.ndarray) -> float:
    predictions = np.empty(len(y), object)
    for train, test in GroupKFold(FOLDS).split(X, y, owner):
        model = without_mirror_images() if name == NAMES[-1] else new_model(name)
        predictions[test] = model.fit(X[train], y[train]).predict(X[test])
    return float(f1_score(y, predictions.astype(str), average="macro"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ict", help="file or folder of ICT-FaceKit Light")
    parser.add_argument("--model", action="append", help="a name in mer.MODELS; may be given more than once")
    parser.add_argument("--seed", type=int, default=2019)
    arguments = parser.parse_args()
    faces = {"makehuman": load_face_model("makehuman")}
    if arguments.ict:
        faces["ict"] = load_face_model("ict", arguments.ict)
    print("people       model                            UF1")
    for kind, model in faces.items():
        rendered = micro_flows([model], PEOPLE, CLIPS, arguments.seed)
        X = np.stack([as_8bit_image(flow) for flow in rendered.flows])
        for name in arguments.model or NAMES:
            print(f"{kind:12} {name:32} {score(name, X, rendered.labels, rendered.people):.3f}", flush=True)


if __name__ == "__main__":
    main()
