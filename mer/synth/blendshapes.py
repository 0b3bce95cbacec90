"""FACS action units as blendshapes of each face model, so that all other code can speak of action units alone.

Ekman, Friesen & Hager, "Facial Action Coding System", 2002. Units are written as on annotation sheets: `12` for both
sides, `L12` for the subject's left, `R12` for the right. Intensities run from 0 to 1.
"""

from collections.abc import Mapping

import numpy as np

from mer.synth.face_model import FaceModel, FaceModelError

# Unit -> weights of ARKit's shapes at intensity 1; `*` stands for the side. The names of the units are in
# `mer.datasets.action_units.FACS_NAMES`.
UNIT_SHAPES: dict[str, dict[str, float]] = {
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
SIDES = {"L": "Left", "R": "Right"}  # the subject's
# Shapes that a model splits or names differently, before the side is filled in.
_OWN_SHAPES: dict[str, dict[str, dict[str, float]]] = {
    "ict": {"cheekSquint*": {"cheekRaiser*": 0.6, "cheekSquint*": 0.6}}
}


def has_sides(number: str) -> bool:
    """Whether a unit can be shown on one side alone."""
    return any("*" in shape for shape in UNIT_SHAPES[number])


def parse_unit(unit: str) -> tuple[str, str]:
    """Number and side of a unit: `"L12"` gives `("12", "L")`, `"12"` gives `("12", "")`."""
    side = unit[:1] if unit[:1] in SIDES else ""
    number = unit[len(side) :]
    if number not in UNIT_SHAPES:
        raise ValueError(
            f"unknown action unit {unit!r}; choose from {', '.join(UNIT_SHAPES)}, with the prefix L or R for one side"
        )
    if side and not has_sides(number):
        raise ValueError(f"action unit {number} has no sides; write {number!r} instead of {unit!r}")
    return number, side


def shape_weights(units: Mapping[str, float], model: str) -> dict[str, float]:
    """Weights of a model's shapes, by ARKit name, that show these units at these intensities."""
    weights: dict[str, float] = {}
    for unit, intensity in units.items():
        number, side = parse_unit(unit)
        for pattern, share in UNIT_SHAPES[number].items():
            own = _OWN_SHAPES.get(model, {}).get(pattern, {pattern: 1.0})
            for shape, factor in own.items():
                for name in (shape.replace("*", SIDES[s]) for s in (side or "LR")) if "*" in shape else (shape,):
                    weights[name] = weights.get(name, 0.0) + intensity * share * factor
    return weights


def shape_offsets(model: FaceModel, shape: str) -> np.ndarray:
    """Vertex offsets `(V, 3)` of a shape by its ARKit name, whichever spelling the model uses, or `FaceModelError`.

    A shape for both sides is split along the midline of the face, with a transition about as wide as the nose.
    """
    for side in SIDES.values():
        if shape.endswith(side):
            stem = shape.removesuffix(side)
            for spelling in (shape, f"{stem}_{side[0]}"):
                if spelling in model.expressions:
                    return model.expressions[spelling]
            if stem in model.expressions:
                x, landmark_x = model.vertices[:, 0], model.landmarks(model.vertices)[:, 0]
                midline, width = np.median(landmark_x), 0.06 * np.ptp(landmark_x)
                left = 1 / (1 + np.exp(-np.clip((x - midline) / width, -30, 30)))
                return model.expressions[stem] * (left if side == "Left" else 1 - left)[:, None]
    if shape in model.expressions:
        return model.expressions[shape]
    both = [f"{shape}_{side}" for side in SIDES]
    if all(name in model.expressions for name in both):
        return model.expressions[both[0]] + model.expressions[both[1]]
    raise FaceModelError(f"the face model {model.name!r} has no shape {shape!r}")
