import numpy as np
import pytest
from matplotlib.figure import Figure

from tests.drawn_flows import drawn_field


@pytest.fixture
def ax():
    return Figure(layout="constrained").add_subplot()


@pytest.fixture
def field() -> np.ndarray:
    return drawn_field("happiness", np.random.default_rng(0), size=32)
