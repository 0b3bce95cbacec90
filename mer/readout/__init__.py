"""What the face did, as FACS action units with intensities, read from the flow of a clip.

>>> from mer.readout import action_units
>>> action_units(flow.expression, scale=96.0)["12"]             # doctest: +SKIP
0.31

Flow of a micro-expression is close to a weighted sum of what each unit does, so the readout is one too, the other way
round: a ridge regression from the flow of the face box to intensities, fitted to rendered expressions whose units are
known (`benchmarks/readout.py`). Intensity 1 is a unit at full strength on the face models. `docs/zero_shot.md` tells
how far it errs on faces that it has not seen.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

from mer.face.box import BOX, face_box
from mer.features import resize
from mer.models.zero_shot import CROPS, has_margins

__all__ = ["UNITS_READ", "action_units", "fit_readout", "read_units"]

WEIGHTS = Path(__file__).with_name("action_units.npz")
SIDE = 28
# Units that micro-expressions show, and the blink, which is to be told from them.
UNITS_READ = ("1", "2", "4", "5", "6", "7", "9", "10", "12", "14", "15", "17", "20", "23", "24", "25", "26", "45")


def action_units(flow: np.ndarray, scale: float = 1.0, crop: str = "auto", sides: bool = False) -> dict[str, float]:
    """Intensities of :data:`UNITS_READ`, 0 to 1, in a clip.

    Parameters
    ----------
    flow : (H, W, 2)
        Expression flow from onset to apex, pixels, x first.
    scale : float
        Pixels in an interocular distance: `scale` of the samples table. Where it is not known, as in published images,
        the intensities are in an unknown unit, the same for all units of a clip, and not bounded by 1 in any meaning.
    crop : {"auto", "aligned", "box"}
        What `flow` shows, as :func:`mer.models.zero_shot.form_of_motion` takes it.
    sides : bool
        Both sides by themselves, `L12` the subject's left and `R12` the right, instead of their mean `12`.

    Raises
    ------
    ValueError
        For another shape, values that are not finite, or a scale that is not positive.
    """
    flow = np.asarray(flow, np.float32)
    if flow.ndim != 3 or flow.shape[2] != 2 or not np.isfinite(flow).all():
        raise ValueError(f"flow {flow.shape} is not a finite field (H, W, 2)")
    if not scale > 0:
        raise ValueError(f"{scale} pixels in an interocular distance; expected a positive number")
    if crop not in CROPS:
        raise ValueError(f"no crop {crop!r}; there are {', '.join(CROPS)}")
    flow = flow / np.float32(scale)
    aligned = crop == "aligned" or (crop == "auto" and has_margins(flow))
    box = face_box(flow, BOX, SIDE) if aligned else resize(flow, SIDE)
    names, weights = _weights()
    values = dict(zip(names, np.clip(read_units(box[None], weights)[0], 0, 1).tolist()))
    if sides:
        return values
    both = {unit: [values[name] for name in names if name.lstrip("LR") == unit] for unit in UNITS_READ}
    return {unit: float(np.mean(of_sides)) for unit, of_sides in both.items()}


def read_units(boxes: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Intensities `(n, units)` in flow of the face box `(n, 28, 28, 2)`, interocular distances, by `weights`
    `(1568, units)`.
    """
    return _centered(boxes) @ weights


def fit_readout(boxes: np.ndarray, intensities: np.ndarray, ridge: float = 30.0) -> np.ndarray:
    """Weights `(1568, units)` by ridge regression; every clip counts alike, however weak its motion.

    Parameters
    ----------
    boxes : (n, 28, 28, 2)
        Flow of the face box, interocular distances.
    intensities : (n, units)
    ridge : float
        In clips.
    """
    rows = _centered(boxes)
    strength = np.sqrt((rows**2).mean(1, keepdims=True)).clip(1e-9)
    rows, targets = rows / strength, intensities / strength
    gram = rows.T @ rows
    gram[np.diag_indices_from(gram)] += ridge
    return np.linalg.solve(gram, rows.T @ targets).astype(np.float32)


def _centered(boxes: np.ndarray) -> np.ndarray:
    """Rows `(n, 1568)` less the median vector of each clip, what a shift of the head leaves of it."""
    rows = boxes.reshape(len(boxes), -1, 2)
    return (rows - np.median(rows, axis=1, keepdims=True)).reshape(len(boxes), -1)


@lru_cache(maxsize=1)
def _weights() -> tuple[tuple[str, ...], np.ndarray]:
    with np.load(WEIGHTS, allow_pickle=False) as archive:
        return tuple(archive["units"].tolist()), archive["weights"].astype(np.float32)
