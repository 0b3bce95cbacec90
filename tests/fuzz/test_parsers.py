"""A few random inputs for each parser. `benchmarks/fuzz.py` runs many; its findings are in `test_regressions.py`."""

from __future__ import annotations

import warnings

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.parsers import PARSERS, check

HEAVY = ("video", "fitted", "head of", "weights", "sheet .xlsx")  # slow, or needs PyTorch


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * name.startswith(HEAVY)) for name in PARSERS]
)
def test_inputs_are_accepted_or_raise_the_documented_error(name):
    @settings(max_examples=12, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def run(data: st.DataObject) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            check(name, data.draw(PARSERS[name].inputs))

    run()
