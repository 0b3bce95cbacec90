from __future__ import annotations

import numpy as np

from mer.features.fields import mirror
from mer.synth.drawn_motions import drawn_motions
from mer.synth.unit_motions import UNITS


def test_people_differ_and_follow_from_the_seed():
    first, again, other = (drawn_motions(np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert first.fields.shape == (len(UNITS), 56, 56, 2)
    np.testing.assert_array_equal(first.fields, again.fields)
    assert np.abs(first.fields - other.fields).max() > 0.01


def test_without_variety_the_sides_are_mirror_images():
    fields = drawn_motions(np.random.default_rng(0), variety=0).fields
    left, right = fields[UNITS.index("L12")], fields[UNITS.index("R12")]
    np.testing.assert_allclose(mirror(left), right, atol=0.002)


def test_the_nose_is_nearest():
    person = drawn_motions(np.random.default_rng(0), variety=0)
    row, column = np.unravel_index(person.depth.argmin(), person.depth.shape)
    assert person.mask[row, column]
    assert abs(column - 27.5) < 4
