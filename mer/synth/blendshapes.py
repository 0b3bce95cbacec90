"""FACS action units, left and right, as shapes of each face model: one table, so that everything above speaks in AUs.

Ekman, Friesen & Hager, "Facial Action Coding System", 2002. A unit is written as on annotation sheets: `12` on both
sides, `L12` on the subject's left, `R12` on the right. Intensity runs from 0 to 1.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mer.synth.face_model import FaceModel, FaceModelError

# Shapes in ARKit's names at intensity 1; `*` stands for the side. Other models' names are derived below. The units' own
# names are in `mer.datasets.action_units.FACS_NAMES`.
ACTION_UNITS: dict[str, dict[str, float]] = {
    "1": {"browInnerUp*": 1.0},
    "2": {"browOuterUp*": 1.0},
    "4": {"browDown*": 1.0},
    "5": {"eyeWide*": 1.0},
    "6": {"cheekSquint*": 1.0, "eyeSquint*": 0.3},
    "7": {"eyeSquint*": 1.0},
    "9": {"noseSneer*": 1.0, "browDown*": 0.2},
    "10": {"mouthUpperUp*": 1.0},
    "12": {"mouthSmile*": 1.0},
    "14": {"mouthDimple*": 1.0},
    "15": {"mouthFrown*": 1.0},
    "16": {"mouthLowerDown*": 1.0},
    "17": {"mouthShrugLower*": 1.0, "mouthShrugUpper*": 0.3},
    "18": {"mouthPucker": 1.0},
    "20": {"mouthStretch*": 1.0},
    "22": {"mouthFunnel": 1.0},
    "23": {"mouthPress*": 0.6, "mouthRollLower*": 0.3, "mouthRollUpper*": 0.3},
    "24": {"mouthPress*": 1.0},
    "25": {"mouthLowerDown*": 0.35, "mouthUpperUp*": 0.15},
    "26": {"jawOpen": 0.45},
    "27": {"jawOpen": 1.0},
    "28": {"mouthRollLower*": 1.0, "mouthRollUpper*": 1.0},
    "29": {"jawForward": 1.0},
    "34": {"cheekPuff*": 1.0},
    "45": {"eyeBlink*": 1.0},
}
SIDES = {"L": "Left", "R": "Right"}  # the subject's own
# What a model calls a shape that ARKit names otherwise, before its sides are added.
_OWN_SHAPES: dict[str, dict[str, dict[str, float]]] = {
    "ict": {"cheekSquint*": {"cheekRaiser*": 0.6, "cheekSquint*": 0.6}}
}


def parse_unit(unit: str) -> tuple[str, str]:
    """`"L12"` to `("12", "L")`, `"12"` to `("12", "")`; `ValueError` for a unit that is not in the table."""
    side = unit[:1] if unit[:1] in SIDES else ""
    number = unit[len(side) :]
    if number not in ACTION_UNITS:
        raise ValueError(
            f"no action unit {unit!r}; there are {', '.join(ACTION_UNITS)}, with L or R before for one side"
        )
    if side and not any("*" in shape for shape in ACTION_UNITS[number]):
        raise ValueError(f"action unit {number} has no sides, {unit!r} was asked for")
    return number, side


def shape_weights(units: Mapping[str, float], model: str) -> dict[str, float]:
    """Action units with intensities as a model's shapes with weights, in ARKit's names (sides are `Left` and
    `Right`).
    """
    weights: dict[str, float] = {}
    for unit, intensity in units.items():
        number, side = parse_unit(unit)
        for pattern, share in ACTION_UNITS[number].items():
            own = _OWN_SHAPES.get(model, {}).get(pattern, {pattern: 1.0})
            for shape, factor in own.items():
                for name in (shape.replace("*", SIDES[s]) for s in (side or "LR")) if "*" in shape else (shape,):
                    weights[name] = weights.get(name, 0.0) + intensity * share * factor
    return weights


def shape_offsets(model: FaceModel, shape: str) -> np.ndarray:
    """Offsets `(V, 3)` of a shape by its ARKit name, however the model spells it.

    A shape that the model has for both sides together is split along the middle of the face, with a soft edge as wide
    as the nose.
    """
    for side in SIDES.values():
        if shape.endswith(side):
            stem = shape.removesuffix(side)
            for spelling in (shape, f"{stem}_{side[0]}"):
                if spelling in model.expressions:
                    return model.expressions[spelling]
            if stem in model.expressions:
                x = model.vertices[:, 0]
                middle = np.median(model.landmarks(model.vertices)[:, 0])
                width = 0.06 * np.ptp(model.landmarks(model.vertices)[:, 0])
                toward_left = 1 / (1 + np.exp(-np.clip((x - middle) / width, -30, 30)))
                share = toward_left if side == "Left" else 1 - toward_left
                return model.expressions[stem] * share[:, None]
    if shape in model.expressions:
        return model.expressions[shape]
    sides = [f"{shape}_{side}" for side in SIDES]
    if all(name in model.expressions for name in sides):
        return model.expressions[sides[0]] + model.expressions[sides[1]]
    raise FaceModelError(f"the face model {model.name!r} has no shape {shape!r}")
