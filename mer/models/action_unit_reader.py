"""What the face did, as FACS action units with intensities, read from the flow of a clip.

>>> from mer.models.action_unit_reader import action_units
>>> action_units(flow.expression, scale=96.0)["12"]             # doctest: +SKIP
0.31

The networks of :mod:`mer.models.zero_shot_classifier` have learned which motions of a face belong together; a ridge regression on
what they see in a clip tells in which proportions units move the skin, and how far the strongest does for the strength
of the flow. It is fitted to rendered expressions, whose units are known (`benchmarks/readout.py`). Intensity 1 is as
far as a unit moves the skin at full strength, on average over the face models. `docs/zero_shot.md` tells how far the
readout errs on faces that it has not seen.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

from mer.models.zero_shot_classifier import WEIGHTS as NETWORKS
from mer.models.zero_shot_classifier import centered_box, form_of_motion, load_weights, mirrored, network_of
from mer.synth.unit_motions import UNITS
from mer.utils.torch_setup import one_thread

__all__ = ["SIDED", "UNITS_READ", "action_units", "fit_readout", "read_units"]

WEIGHTS = Path(__file__).with_name("action_units.npz")
# Units that micro-expressions show, and the blink, which is to be told from them.
UNITS_READ = ("1", "2", "4", "5", "6", "7", "9", "10", "12", "14", "15", "17", "20", "23", "24", "25", "26", "45")
_MIDDLE = ("25", "26")  # have no sides, or move the middle of the face so that their sides say nothing
# What is read: L is the subject's left.
SIDED = tuple(name for unit in UNITS_READ for name in ((unit,) if unit in _MIDDLE else (f"L{unit}", f"R{unit}")))
_MIRROR = {"L": "R", "R": "L"}
SWAP = [SIDED.index(_MIRROR.get(name[0], name[0]) + name[1:]) for name in SIDED]  # each one's mirror image


def action_units(flow: np.ndarray, scale: float = 1.0, crop: str = "auto", sides: bool = False) -> dict[str, float]:
    """Intensities of :data:`UNITS_READ`, 0 to 1, in a clip.

    Parameters
    ----------
    flow : (H, W, 2)
        Expression flow from onset to apex, pixels, x first.
    scale : float
        Pixels in an interocular distance: `scale` of the samples table. Where it is not known, as in published images,
        only proportions mean something; :func:`read_units` gives them without the limit of 1.
    crop : {"auto", "aligned", "box"}
        What `flow` shows, as :func:`mer.models.zero_shot_classifier.form_of_motion` takes it.
    sides : bool
        Both sides by themselves, `L12` the subject's left and `R12` the right, instead of their mean `12`.

    Raises
    ------
    ValueError
        For another shape, values that are not finite, or a scale that is not positive.
    """
    flow = np.asarray(flow, np.float32)
    if flow.ndim != 3 or flow.shape[2] != 2 or not np.isfinite(flow).all():
        raise ValueError(f"flow of shape {flow.shape} is not a finite field (H, W, 2)")
    if not scale > 0:
        raise ValueError(f"{scale} pixels in an interocular distance; expected a positive number")
    box = centered_box(flow / np.float32(scale), crop)
    values = dict(zip(SIDED, np.clip(read_units(box[None])[0] / _saved()[1], 0, 1).tolist()))
    if sides:
        return values
    both = {unit: [value for name, value in values.items() if name.lstrip("LR") == unit] for unit in UNITS_READ}
    return {unit: float(np.mean(of_sides)) for unit, of_sides in both.items()}


def read_units(boxes: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """How far each unit of :data:`SIDED` moves the skin at most, `(n, units)`, in the unit of the flow.

    It is proportional to the flow and not negative.

    Parameters
    ----------
    boxes : (n, 28, 28, 2)
        Flow of the face box.
    weights : (features + 1, units + 1), optional
        Of :func:`fit_readout`; those that come with mer by default.
    """
    weights = _saved()[0] if weights is None else weights
    straight, mirror = (_rows(seen) @ weights for seen in _seen(boxes))
    read = (straight + np.column_stack([mirror[:, SWAP], mirror[:, -1]])) / 2
    return np.clip(read[:, :-1], 0, 1) * (np.exp(read[:, -1]) * _strength(boxes))[:, None]


def fit_readout(boxes: np.ndarray, motion: np.ndarray, ridge: float = 0.01) -> np.ndarray:
    """Weights `(features + 1, units + 1)` by ridge regression on shares of the clip's largest motion by a unit; the
    last column is for the logarithm of that motion, divided by the flow's strength.

    Parameters
    ----------
    boxes : (n, 28, 28, 2)
        Flow of the face box, interocular distances.
    motion : (n, units)
        Of :data:`mer.synth.unit_motions.UNITS`.
    ridge : float
        As a share of the features' mean square.
    """
    truth = targets_of(motion)
    largest = truth.max(1).clip(1e-6)
    gain = np.log(largest / _strength(boxes).clip(1e-9))
    rows = _rows(_seen(boxes)[0])
    gram = rows.T @ rows
    gram[np.diag_indices_from(gram)] += ridge * np.diag(gram).mean()
    targets = np.column_stack([truth / largest[:, None], gain])
    return np.linalg.solve(gram, rows.T @ targets).astype(np.float32)


def targets_of(motion: np.ndarray) -> np.ndarray:
    """Values `(n, units)` of :data:`mer.synth.unit_motions.UNITS` as those of :data:`SIDED`; a unit that is read
    without sides has the mean of both.
    """
    columns = [[k for k, unit in enumerate(UNITS) if name in (unit, unit.lstrip("LR"))] for name in SIDED]
    return np.stack([motion[:, places].mean(1) for places in columns], axis=1)


def _seen(boxes: np.ndarray) -> list[np.ndarray]:
    """What the networks' last layer is given, `(n, features)`, of the clips and of their mirror images."""
    import torch

    networks = [network_of(state)[:-2] for state in load_weights(NETWORKS)]
    images = torch.from_numpy(np.stack([form_of_motion(box, "box") for box in boxes])).permute(0, 3, 1, 2)
    with one_thread(), torch.no_grad():
        return [
            torch.cat([torch.cat([network(part) for part in view.split(512)]) for network in networks], 1).numpy()
            for view in (images, mirrored(images))
        ]


def _rows(seen: np.ndarray) -> np.ndarray:
    """Features with a constant one beside them."""
    return np.column_stack([seen, np.ones(len(seen), seen.dtype)])


def _strength(boxes: np.ndarray) -> np.ndarray:
    """Root mean square of the flow of each clip, less its median vector: `(n,)`."""
    return np.sqrt(((boxes - np.median(boxes, axis=(1, 2), keepdims=True)) ** 2).mean(axis=(1, 2, 3)))


@lru_cache(maxsize=1)
def _saved() -> tuple[np.ndarray, np.ndarray]:
    """Weights, and how far each unit moves the skin at full strength `(units,)`, interocular distances."""
    with np.load(WEIGHTS, allow_pickle=False) as archive:
        if tuple(archive["units"].tolist()) != SIDED:
            raise ValueError(f"{WEIGHTS} reads other units; run benchmarks/readout.py --write again")
        return archive["weights"].astype(np.float32), archive["full"].astype(np.float32)
