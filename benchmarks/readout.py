"""The action-unit readout: fit it to rendered expressions, and measure it on faces that it has not seen.

    python benchmarks/readout.py --ict ict_facekit_light.npz            # how far it errs on another face model
    python benchmarks/readout.py --ict ict_facekit_light.npz --write    # fit it to both, and save it with the package

Each unit is read on people of a face model that had no part in the training: MakeHuman's for ICT-FaceKit's, and the
other way round; the hand-drawn faces take part in neither. Everything here is rendered: nothing says how well it reads
people.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from mer.models.zero_shot_training import save_weights
from mer.readout import SIDED, UNITS_READ, WEIGHTS, read_units
from mer.readout.training import targets_of, train_readout
from mer.synth.clips import MicroFlows, micro_flows
from mer.synth.models import load_face_model

CLIPS = 16  # of a person


def joined(parts: list[MicroFlows]) -> MicroFlows:
    columns = zip(*((p.flows, p.labels, p.intensities, p.people) for p in parts))
    return MicroFlows(*(np.concatenate(column) for column in columns))


def clips(models: list, people: int, seed: int) -> MicroFlows:
    """Half of the people show units by chance, half expressions of the three classes."""
    return joined([micro_flows(models, people // 2, CLIPS, seed + k, any_units=bool(k)) for k in (0, 1)])


def errors(rendered: MicroFlows, networks: list) -> dict[str, tuple[float, float, float]]:
    """Per unit, over clips and sides, in shares of the clip's strongest unit: correlation of intensities, area under
    the ROC curve of the unit's presence, mean absolute error.
    """
    from sklearn.metrics import roc_auc_score

    truth = targets_of(rendered.intensities)
    strongest = truth.max(1, keepdims=True).clip(1e-6)
    read, true = np.clip(read_units(rendered.flows, networks) / strongest, 0, 2), truth / strongest
    out = {}
    for unit in UNITS_READ:
        columns = [k for k, name in enumerate(SIDED) if name.lstrip("LR") == unit]
        r, t = read[:, columns].ravel(), true[:, columns].ravel()
        clear = (t == 0) | (t > 0.3)
        out[unit] = (
            float(np.corrcoef(r, t)[0, 1]),
            float(roc_auc_score(t[clear] > 0, r[clear])),
            float(np.abs(r - t).mean()),
        )
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ict", required=True, help="file or folder of ICT-FaceKit Light")
    parser.add_argument("--people", type=int, default=600)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    makehuman, ict = load_face_model("makehuman"), load_face_model("ict", arguments.ict)
    start = time.perf_counter()
    if arguments.write:
        rendered = clips([makehuman, ict], arguments.people, 20)
        networks = [train_readout(rendered, arguments.epochs, seed) for seed in (0,)]
        record = {"data": "rendered expressions", "people": arguments.people, "clips": len(rendered.people)}
        save_weights(networks, WEIGHTS, {**record, "units": SIDED, "epochs": arguments.epochs})
        print(f"{WEIGHTS}: {WEIGHTS.stat().st_size / 1000:.0f} kB, {time.perf_counter() - start:.0f} s")
        return
    sets = {"makehuman": clips([makehuman], arguments.people, 0), "ict": clips([ict], arguments.people, 10)}
    print(f"{sum(len(s.people) for s in sets.values())} clips in {time.perf_counter() - start:.0f} s", flush=True)
    tables = []
    for trained, tested in (("makehuman", "ict"), ("ict", "makehuman")):
        tables.append(errors(sets[tested], [train_readout(sets[trained], arguments.epochs)]))
        print(f"{trained} -> {tested}, {time.perf_counter() - start:.0f} s", flush=True)
    print("unit  makehuman -> ict: corr AUC error    ict -> makehuman: corr AUC error")
    for unit in UNITS_READ:
        print(f"{unit:>4}  " + "    ".join(" ".join(f"{value:6.3f}" for value in table[unit]) for table in tables))
    means = [np.mean(list(table.values()), axis=0) for table in tables]
    print("mean  " + "    ".join(" ".join(f"{value:6.3f}" for value in mean) for mean in means))


if __name__ == "__main__":
    main()
