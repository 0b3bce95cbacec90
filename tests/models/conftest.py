"""Rendered clips for the tests of classifiers that are trained on them."""

from __future__ import annotations

import pytest

from mer.synth.micro_flows import MicroFlows, micro_flows


@pytest.fixture(scope="session")
def rendered() -> MicroFlows:
    """Drawn people, none of them in the training data, with moderate errors of the flow."""
    return micro_flows([], people=20, clips=9, seed=1234, hardship=0.5)
