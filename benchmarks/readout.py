"""The action-unit readout: fit it to rendered expressions, and measure it on faces that it has not seen.

    python benchmarks/readout.py --ict ict_facekit_light.npz            # how far it errs, and on which faces
    python benchmarks/readout.py --ict ict_facekit_light.npz --write    # and mer/readout/action_units.npz

Each unit is read on people of a face model that had no part in the fit: fitted to MakeHuman's and hand-drawn faces and
read on ICT-FaceKit's, and the other way round. Everything here is rendered; nothing says how well it reads people.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from mer.readout import UNITS_READ, WEIGHTS, fit_readout, read_units
from mer.synth.clips import MicroFlows, micro_flows
from mer.synth.flows import UNITS
from mer.synth.model import FaceModel
from mer.synth.models import load_face_model

KEPT = [k for k, unit in enumerate(UNITS) if unit.lstrip("LR") in UNITS_READ]


def clips(models: list[FaceModel], people: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Half of the clips show units by chance, half expressions of the three classes."""
    parts: list[MicroFlows] = [
        micro_flows(models, people // 2, 16, seed + by_chance, any_units=bool(by_chance)) for by_chance in (0, 1)
    ]
    return np.concatenate([p.flows for p in parts]), np.concatenate([p.intensities for p in parts])[:, KEPT]


def errors(weights: np.ndarray, boxes: np.ndarray, truth: np.ndarray) -> dict[str, tuple[float, float, float]]:
    """Per unit: correlation with the truth and area under the ROC curve of its presence, both over clips and sides with
    the strength of each clip taken out, and the mean absolute error in shares of the clip's strongest unit.
    """
    from sklearn.metrics import roc_auc_score

    strongest = truth.max(1, keepdims=True).clip(1e-6)
    read, true = np.clip(read_units(boxes, weights), 0, None) / strongest, truth / strongest
    out = {}
    for unit in UNITS_READ:
        columns = [k for k, place in enumerate(KEPT) if UNITS[place].lstrip("LR") == unit]
        r, t = read[:, columns].ravel(), true[:, columns].ravel()
        clear = (t == 0) | (t > 0.3)
        out[unit] = (
            float(np.corrcoef(np.clip(r, 0, 2), t)[0, 1]),
            float(roc_auc_score(t[clear] > 0, r[clear])),
            float(np.abs(np.clip(r, 0, 2) - t).mean()),
        )
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ict", required=True, help="file or folder of ICT-FaceKit Light")
    parser.add_argument("--people", type=int, default=300)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    makehuman, ict = load_face_model("makehuman"), load_face_model("ict", arguments.ict)
    start = time.perf_counter()
    sets = {"makehuman": clips([makehuman], arguments.people, 0), "ict": clips([ict], arguments.people, 10)}
    n = sum(len(boxes) for boxes, _ in sets.values())
    print(f"{n} clips in {time.perf_counter() - start:.0f} s")
    tables = []
    for ridge in (10.0, 100.0, 1000.0):
        tables = []
        for fitted, tested in (("makehuman", "ict"), ("ict", "makehuman")):
            tables.append(errors(fit_readout(*sets[fitted], ridge), *sets[tested]))
        means = np.array([[*table.values()] for table in tables]).mean((0, 1))
        print(f"ridge {ridge:g}: correlation {means[0]:.3f}, AUC {means[1]:.3f}, error {means[2]:.3f}")
    tables = []
    for fitted, tested in (("makehuman", "ict"), ("ict", "makehuman")):
        tables.append(errors(fit_readout(*sets[fitted]), *sets[tested]))
    print("unit  makehuman -> ict: corr AUC err    ict -> makehuman: corr AUC err")
    for unit in UNITS_READ:
        print(f"{unit:>4}  " + "    ".join(" ".join(f"{value:6.3f}" for value in table[unit]) for table in tables))
    if arguments.write:
        boxes, truth = (np.concatenate([part[k] for part in sets.values()]) for k in (0, 1))
        names = [UNITS[k] for k in KEPT]
        np.savez_compressed(Path(WEIGHTS), units=np.array(names), weights=fit_readout(boxes, truth).astype(np.float16))
        print(f"{WEIGHTS}: {WEIGHTS.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
