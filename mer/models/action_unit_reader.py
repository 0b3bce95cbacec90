"""FACS action units and their intensities from the flow of a clip.

>>> from mer.readout import action_units
>>> action_units(flow.expression, scale=96.0)["12"]             # doctest: +SKIP
0.31

The features are those of the last layer of the networks of :mod:`mer.models.zero_shot_classifier`. Ridge regression
predicts each unit's share of the motion, and the motion by the strongest unit relative to the strength of the flow. It
is fitted to rendered expressions, whose units are known (`benchmarks/readout.py`). Intensity 1 is the motion of the
skin at full strength of the unit, averaged over the face models. `docs/zero_shot.md` reports errors on unseen faces.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

from mer.features import mirror
from mer.models.zero_shot_classifier import WEIGHTS as NETWORKS
from mer.models.zero_shot_classifier import centered_flow, load_weights, network_from_state, normalized_flow
from mer.synth.unit_motions import UNITS
from mer.utils.torch_setup import one_thread

__all__ = ["SIDED", "UNITS_READ", "action_units", "fit_readout", "read_units"]

WEIGHTS = Path(__file__).with_name("action_units.npz")
# Units that occur in micro-expressions, and the blink, which must not be mistaken for one of them.
UNITS_READ = ("1", "2", "4", "5", "6", "7", "9", "10", "12", "14", "15", "17", "20", "23", "24", "25", "26", "45")
_MIDDLE = ("25", "26")  # read without sides, since they move the middle of the face
# Units with their side; L is the subject's left.
SIDED = tuple(name for unit in UNITS_READ for name in ((unit,) if unit in _MIDDLE else (f"L{unit}", f"R{unit}")))
_OPPOSITE = {"L": "R", "R": "L"}
SWAP = [SIDED.index(_OPPOSITE.get(name[0], name[0]) + name[1:]) for name in SIDED]  # index of each mirror image


def action_units(flow: np.ndarray, scale: float = 1.0, crop: str = "auto", sides: bool = False) -> dict[str, float]:
    """Intensities of :data:`UNITS_READ`, 0 to 1, in a clip.

    Parameters
    ----------
    flow : (H, W, 2)
        Expression flow from onset to apex, pixels, x first.
    scale : float
        Pixels per interocular distance: the column `scale` of the samples table. If it is unknown, as for published
        images, only the proportions are meaningful; :func:`read_units` returns them without the limit of 1.
    crop : {"auto", "aligned", "box"}
        Kind of crop, as in :func:`mer.models.zero_shot_classifier.normalized_flow`.
    sides : bool
        Return both sides separately, `L12` for the subject's left and `R12` for the right, instead of their mean `12`.

    Raises
    ------
    ValueError
        If the flow has another shape or is not finite, or if the scale is not positive.
    """
    flow = np.asarray(flow, np.float32)
    if flow.ndim != 3 or flow.shape[2] != 2 or not np.isfinite(flow).all():
        raise ValueError(f"flow of shape {flow.shape} is not a finite field (H, W, 2)")
    if not scale > 0:
        raise ValueError(f"scale is {scale} pixels per interocular distance; expected a positive number")
    box = centered_flow(flow / np.float32(scale), crop)
    intensities = dict(zip(SIDED, np.clip(read_units(box[None])[0] / _saved()[1], 0, 1).tolist()))
    if sides:
        return intensities
    by_unit = {unit: [value for name, value in intensities.items() if name.lstrip("LR") == unit] for unit in UNITS_READ}
    return {unit: float(np.mean(values)) for unit, values in by_unit.items()}


def read_units(boxes: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Maximum motion of the skin by each unit of :data:`SIDED`, `(n, units)`, in the unit of length of the flow.

    It is nonnegative and proportional to the flow.

    Parameters
    ----------
    boxes : (n, 28, 28, 2)
        Flow of the face box.
    weights : (features + 1, units + 1), optional
        From :func:`fit_readout`; by default, those shipped with mer.
    """
    weights = _saved()[0] if weights is None else weights
    original, mirrored = (_with_constant(features) @ weights for features in _features(boxes))
    predicted = (original + np.column_stack([mirrored[:, SWAP], mirrored[:, -1]])) / 2
    return np.clip(predicted[:, :-1], 0, 1) * (np.exp(predicted[:, -1]) * _strength(boxes))[:, None]


def fit_readout(boxes: np.ndarray, motion: np.ndarray, ridge: float = 0.01) -> np.ndarray:
    """Fit the ridge regression of :func:`read_units`.

    Parameters
    ----------
    boxes : (n, 28, 28, 2)
        Flow of the face box, interocular distances.
    motion : (n, units)
        Maximum motion by each unit of :data:`mer.synth.unit_motions.UNITS`, interocular distances.
    ridge : float
        Penalty relative to the mean square of the features.

    Returns
    -------
    (features + 1, units + 1)
        Columns of :data:`SIDED` predict the motion by each unit relative to the largest one. The last column predicts
        the logarithm of the largest motion divided by the strength of the flow.
    """
    truth = targets_of(motion)
    largest = truth.max(1).clip(1e-6)
    gain = np.log(largest / _strength(boxes).clip(1e-9))
    rows = _with_constant(_features(boxes)[0])
    gram = rows.T @ rows
    gram[np.diag_indices_from(gram)] += ridge * np.diag(gram).mean()
    targets = np.column_stack([truth / largest[:, None], gain])
    return np.linalg.solve(gram, rows.T @ targets).astype(np.float32)


def targets_of(motion: np.ndarray) -> np.ndarray:
    """Convert columns of :data:`mer.synth.unit_motions.UNITS` to columns of :data:`SIDED`; units that are read without
    sides get the mean of both sides.
    """
    columns = [[k for k, unit in enumerate(UNITS) if name in (unit, unit.lstrip("LR"))] for name in SIDED]
    return np.stack([motion[:, indices].mean(1) for indices in columns], axis=1)


def _features(boxes: np.ndarray) -> list[np.ndarray]:
    """Inputs of the networks' last layer, `(n, features)`, for the clips and for their mirror images."""
    import torch

    networks = [network_from_state(state)[:-2] for state in load_weights(NETWORKS)]
    images = torch.from_numpy(np.stack([normalized_flow(box, "box") for box in boxes])).permute(0, 3, 1, 2)
    with one_thread(), torch.no_grad():
        return [
            torch.cat([torch.cat([network(part) for part in view.split(512)]) for network in networks], 1).numpy()
            for view in (images, mirror(images))
        ]


def _with_constant(features: np.ndarray) -> np.ndarray:
    return np.column_stack([features, np.ones(len(features), features.dtype)])


def _strength(boxes: np.ndarray) -> np.ndarray:
    """Root mean square of each clip's flow minus its median vector, `(n,)`."""
    return np.sqrt(((boxes - np.median(boxes, axis=(1, 2), keepdims=True)) ** 2).mean(axis=(1, 2, 3)))


@lru_cache(maxsize=1)
def _saved() -> tuple[np.ndarray, np.ndarray]:
    """Weights, and the motion by each unit at full strength `(units,)`, interocular distances."""
    with np.load(WEIGHTS, allow_pickle=False) as archive:
        if tuple(archive["units"].tolist()) != SIDED:
            raise ValueError(f"{WEIGHTS} was fitted to other units; run benchmarks/readout.py --write again")
        return archive["weights"].astype(np.float32), archive["full"].astype(np.float32)
