from __future__ import annotations

import numpy as np

from mer.synth.blendshapes import parse_unit
from mer.synth.expressions import (
    CLASS_COUNTS,
    CLASS_EMOTIONS,
    CLASS_PATTERNS,
    FULL_EXPRESSIONS,
    MICRO_EXPRESSIONS,
    draw_units,
)


def test_every_pattern_consists_of_known_units():
    for table in (FULL_EXPRESSIONS, MICRO_EXPRESSIONS, CLASS_PATTERNS):
        for patterns in table.values():
            for seed in range(12):
                for unit in draw_units(list(patterns), np.random.default_rng(seed)):
                    parse_unit(unit)


def test_classes_cover_the_emotions():
    assert {e for emotions in CLASS_EMOTIONS.values() for e in emotions} == set(MICRO_EXPRESSIONS)
    assert list(CLASS_PATTERNS) == list(CLASS_COUNTS) == list(CLASS_EMOTIONS)


def test_sides_and_optional_units_are_drawn():
    drawn = {tuple(draw_units(["6+/12(25)"], np.random.default_rng(seed))) for seed in range(30)}
    assert drawn == {("6", f"{side}12", *rest) for side in "LR" for rest in ((), ("25",))}
