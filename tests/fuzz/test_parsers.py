"""A few inputs of each parser. `benchmarks/fuzz.py` runs many; what they found stands in `test_found.py`."""

from __future__ import annotations

import warnings

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.parsers import PARSERS, check

HEAVY = ("video", "fitted", "head of", "weights", "sheet .xlsx")  # each input takes milliseconds, or needs PyTorch


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * name.startswith(HEAVY)) for name in PARSERS]
)
def test_what_is_read_is_taken_or_refused_in_words(name):
    @settings(max_examples=12, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def run(data: st.DataObject) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            check(name, data.draw(PARSERS[name].inputs))

    run()
