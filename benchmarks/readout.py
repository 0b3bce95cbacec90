"""Errors of the action-unit readout on unseen rendered faces, and fitting of its weights.

    python benchmarks/readout.py --ict ict_facekit_light.npz            # measure errors
    python benchmarks/readout.py --ict ict_facekit_light.npz --write    # also write mer/models/action_units.npz

The readout is tested on a face model that it was not fitted to (MakeHuman or ICT-FaceKit), and on new people of both
models. All clips are rendered, so the errors do not predict accuracy on real people.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from mer.models.action_unit_reader import SIDED, SWAP, UNITS_READ, WEIGHTS, fit_readout, read_units, targets_of
from mer.synth import load_face_model
from mer.synth.micro_flows import MicroFlows, micro_flows

CLIPS = 16  # per person


def concatenate(parts: list[MicroFlows]) -> MicroFlows:
    columns = zip(*((p.flows, p.labels, p.intensities, p.motion, p.people) for p in parts))
    return MicroFlows(*(np.concatenate(column) for column in columns))


def clips(models: list, people: int, seed: int) -> MicroFlows:
    """Half of the people show random units, half expressions of the three classes."""
    return concatenate([micro_flows(models, people // 2, CLIPS, seed + k, any_units=bool(k)) for k in (0, 1)])


def errors(rendered: MicroFlows, weights: np.ndarray) -> dict[str, tuple[float, float, float]]:
    """Correlation, area under the ROC curve for the presence, and mean absolute error of each unit, over clips and
    sides, in shares of the strongest unit of a clip.
    """
    from sklearn.metrics import roc_auc_score

    truth, read = targets_of(rendered.motion), read_units(rendered.flows, weights)
    read, true = (values / values.max(1, keepdims=True).clip(1e-6) for values in (read, truth))
    table = {}
    for unit in UNITS_READ:
        columns = [k for k, name in enumerate(SIDED) if name.lstrip("LR") == unit]
        r, t = read[:, columns].ravel(), true[:, columns].ravel()
        decided = (t == 0) | (t > 0.3)
        table[unit] = (
            float(np.corrcoef(r, t)[0, 1]),
            float(roc_auc_score(t[decided] > 0, r[decided])),
            float(np.abs(r - t).mean()),
        )
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ict", required=True, help="file or folder of ICT-FaceKit Light")
    parser.add_argument("--people", type=int, default=300)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    models = {"makehuman": [load_face_model("makehuman")], "ict": [load_face_model("ict", arguments.ict)]}
    start = time.perf_counter()
    fitted = {name: clips(faces, arguments.people, 100 * k) for k, (name, faces) in enumerate(models.items())}
    unseen = clips([*models["makehuman"], *models["ict"]], arguments.people // 3, 900)
    weights = {name: fit_readout(part.flows, part.motion) for name, part in fitted.items()}
    both = concatenate(list(fitted.values()))
    weights["both"] = fit_readout(both.flows, both.motion)
    print(f"{len(both.people)} clips to fit, {len(unseen.people)} to test, {time.perf_counter() - start:.0f} s")
    tables = {
        "makehuman -> ict": errors(fitted["ict"], weights["makehuman"]),
        "ict -> makehuman": errors(fitted["makehuman"], weights["ict"]),
        "both -> new people": errors(unseen, weights["both"]),
    }
    print("unit  " + "   ".join(f"{name:20}" for name in tables) + "   (correlation, AUC, error)")
    for unit in UNITS_READ:
        print(f"{unit:>4}  " + "   ".join(" ".join(f"{value:6.3f}" for value in t[unit]) for t in tables.values()))
    means = [np.mean(list(table.values()), axis=0) for table in tables.values()]
    print("mean  " + "   ".join(" ".join(f"{value:6.3f}" for value in mean) for mean in means))
    if arguments.write:
        shown = np.where(both.intensities > 0.01, both.intensities, np.nan)
        full = np.nanmedian(targets_of(both.motion / shown), axis=0)
        full = ((full + full[SWAP]) / 2).astype(np.float32)
        np.savez_compressed(WEIGHTS, units=np.array(SIDED), weights=weights["both"].astype(np.float16), full=full)
        print(f"{WEIGHTS}: {WEIGHTS.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
