"""Hand-drawn motion of action units, for flow and videos without a face model.

Each unit is a sum of Gaussian bumps of displacement: a landmark on the subject's right or on the midline, its motion
outward and down, and the standard deviation of the bump, all in interocular distances at full intensity.
"""

from typing import NamedTuple


class Bump(NamedTuple):
    """One bump of a unit; `outward` and `down` are its motion, `reach` its standard deviation."""

    landmark: int
    outward: float
    down: float
    reach: float


# All units of `mer.synth.unit_motions.UNITS`, for flow (:mod:`mer.synth.drawn_motions`).
FLOW_UNITS: dict[str, list[Bump]] = {
    "1": [Bump(107, 0.00, -0.08, 0.15), Bump(66, 0.00, -0.06, 0.15)],
    "2": [Bump(70, 0.01, -0.07, 0.15), Bump(105, 0.00, -0.05, 0.15)],
    "4": [Bump(107, -0.05, 0.05, 0.15), Bump(105, -0.02, 0.04, 0.16)],
    "5": [Bump(159, 0.00, -0.04, 0.08)],
    "6": [Bump(50, 0.01, -0.05, 0.20), Bump(145, 0.00, -0.02, 0.10)],
    "7": [Bump(145, 0.00, -0.03, 0.10), Bump(159, 0.00, 0.02, 0.07)],
    "9": [Bump(48, 0.01, -0.05, 0.13), Bump(107, -0.02, 0.04, 0.13)],
    "10": [Bump(37, 0.00, -0.06, 0.12), Bump(205, 0.01, -0.03, 0.15)],
    "12": [Bump(61, 0.06, -0.06, 0.17), Bump(205, 0.02, -0.04, 0.20)],
    "14": [Bump(61, 0.05, 0.00, 0.13)],
    "15": [Bump(61, 0.01, 0.06, 0.13)],
    "16": [Bump(84, 0.00, 0.05, 0.11)],
    "17": [Bump(199, 0.00, -0.06, 0.19), Bump(17, 0.00, -0.04, 0.12)],
    "18": [Bump(61, -0.06, 0.00, 0.15), Bump(291, 0.06, 0.00, 0.15)],
    "20": [Bump(61, 0.07, 0.01, 0.17)],
    "22": [Bump(0, 0.00, -0.04, 0.15), Bump(17, 0.00, 0.05, 0.15)],
    "23": [Bump(61, -0.02, 0.00, 0.12)],
    "24": [Bump(37, 0.00, 0.03, 0.10), Bump(84, 0.00, -0.04, 0.12)],
    "25": [Bump(84, 0.00, 0.05, 0.13), Bump(37, 0.00, -0.01, 0.10)],
    "26": [Bump(199, 0.00, 0.10, 0.30), Bump(17, 0.00, 0.09, 0.20)],
    "27": [Bump(199, 0.00, 0.22, 0.32), Bump(17, 0.00, 0.20, 0.22)],
    "28": [Bump(37, 0.00, 0.04, 0.11), Bump(84, 0.00, -0.05, 0.12)],
    "29": [Bump(199, 0.00, -0.02, 0.25)],
    "34": [Bump(205, 0.05, 0.00, 0.22)],
    "45": [Bump(159, 0.00, 0.08, 0.08)],
}

# The units of the sample set (:mod:`mer.synth.sample_set`). It keeps a table of its own because its videos, and the
# results that the documentation and the tests report on them, depend on these values; the readers trained on flow
# depend on those above.
VIDEO_UNITS: dict[str, list[Bump]] = {
    "1": [Bump(107, 0.00, -0.07, 0.16)],
    "2": [Bump(70, 0.01, -0.06, 0.16)],
    "4": [Bump(107, -0.04, 0.04, 0.16), Bump(105, -0.01, 0.03, 0.16)],
    "6": [Bump(50, 0.01, -0.04, 0.20)],
    "7": [Bump(145, 0.00, -0.03, 0.10)],
    "9": [Bump(48, 0.00, -0.04, 0.14), Bump(107, -0.02, 0.03, 0.12)],
    "10": [Bump(37, 0.00, -0.04, 0.12)],
    "12": [Bump(61, 0.05, -0.05, 0.18)],
    "14": [Bump(61, 0.04, 0.00, 0.12)],
    "15": [Bump(61, 0.01, 0.06, 0.14)],
    "17": [Bump(199, 0.00, -0.05, 0.18)],
    "25": [Bump(17, 0.00, 0.05, 0.14)],
}
