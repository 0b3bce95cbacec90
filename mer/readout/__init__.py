"""What the face did, as FACS action units with intensities, read from the flow of a clip.

>>> from mer.readout import action_units
>>> action_units(flow.expression, scale=96.0)["12"]             # doctest: +SKIP
0.31

Small networks, trained on rendered expressions whose units are known (`benchmarks/readout.py`), read from the form of
the motion in which proportions units are there; its strength gives the intensities. Intensity 1 is a unit at full
strength on the face models. `docs/zero_shot.md` tells how far the readout errs on faces that it has not seen.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mer.models.torch_classifier import _one_thread
from mer.models.zero_shot import centered_box, load_weights, mirrored, network_of

if TYPE_CHECKING:
    from torch import nn

__all__ = ["SIDED", "UNITS_READ", "action_units", "read_units"]

WEIGHTS = Path(__file__).with_name("action_units.safetensors")
# Units that micro-expressions show, and the blink, which is to be told from them.
UNITS_READ = ("1", "2", "4", "5", "6", "7", "9", "10", "12", "14", "15", "17", "20", "23", "24", "25", "26", "45")
_MIDDLE = ("25", "26")  # have no sides, or move the middle of the face so that their sides say nothing
# What the networks give: L is the subject's left. 25 has sides in the table of units; they are read together.
SIDED = tuple(name for unit in UNITS_READ for name in ((unit,) if unit in _MIDDLE else (f"L{unit}", f"R{unit}")))
# Each output's mirror image.
SWAP = tuple(
    SIDED.index({"L": "R", "R": "L"}.get(name[0], "") + name[1:] if name[0] in "LR" else name) for name in SIDED
)
PROPORTION = 100.0  # of an intensity, to the root mean square of the flow in interocular distances, that is output 1
_OUTLIER = 4.0  # in root mean squares


def action_units(flow: np.ndarray, scale: float = 1.0, crop: str = "auto", sides: bool = False) -> dict[str, float]:
    """Intensities of :data:`UNITS_READ`, 0 to 1, in a clip.

    Parameters
    ----------
    flow : (H, W, 2)
        Expression flow from onset to apex, pixels, x first.
    scale : float
        Pixels in an interocular distance: `scale` of the samples table. Where it is not known, as in published images,
        only the proportions of the intensities mean something; :func:`read_units` gives them without the limit of 1.
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
        raise ValueError(f"flow of shape {flow.shape} is not a finite field (H, W, 2)")
    if not scale > 0:
        raise ValueError(f"{scale} pixels in an interocular distance; expected a positive number")
    box = centered_box(flow / np.float32(scale), crop)
    values = dict(zip(SIDED, np.clip(read_units(box[None])[0], 0, 1).tolist()))
    if sides:
        return values
    both = {unit: [value for name, value in values.items() if name.lstrip("LR") == unit] for unit in UNITS_READ}
    return {unit: float(np.mean(of_sides)) for unit, of_sides in both.items()}


def read_units(boxes: np.ndarray, networks: list[nn.Sequential] | None = None) -> np.ndarray:
    """Intensities `(n, units)` of :data:`SIDED` in flow of the face box `(n, 28, 28, 2)`, interocular distances.

    They are proportional to the flow, not negative, and have no limit. `networks` are those that come with mer by
    default.
    """
    import torch

    if networks is None:
        networks = [network_of(state) for state in load_weights(WEIGHTS)]
    images, strength = forms(boxes)
    x = torch.from_numpy(images)
    with _one_thread(), torch.no_grad():
        answers = [network(x).relu() for network in networks]
        answers += [network(mirrored(x)).relu()[:, list(SWAP)] for network in networks]
    return torch.stack(answers).mean(0).numpy() * strength[:, None] * PROPORTION


def forms(boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What the networks see, float32 `(n, 2, 28, 28)`, and the strength of each clip `(n,)`: the root mean square of
    its flow less the median. Unlike for the classes, u and v keep their proportion.
    """
    boxes = boxes - np.median(boxes, axis=(1, 2), keepdims=True)
    strength = np.sqrt((boxes**2).mean(axis=(1, 2, 3)))
    images = np.clip(boxes / np.maximum(strength, 1e-9)[:, None, None, None], -_OUTLIER, _OUTLIER)
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2), np.float32), strength
