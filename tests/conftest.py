"""What all tests share: the folder of photographs and videos, where there is one, and one photograph that always is."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(scope="session")
def assets() -> Path:
    """The folder that MER_ASSETS names; the test is skipped without it."""
    folder = os.environ.get("MER_ASSETS")
    if not folder:
        pytest.skip("MER_ASSETS names no folder of photographs, models and videos")
    return Path(folder)


@pytest.fixture(scope="session")
def astronaut() -> np.ndarray:
    """The portrait that comes with scikit-image: uint8 (512, 512, 3), RGB, one face."""
    from skimage.data import astronaut

    return astronaut()


@pytest.fixture(scope="session")
def sample_videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The synthetic sample set with two people and one clip for each class; don't write into it."""
    from mer.synth.sample_set import make_sample_set

    return make_sample_set(tmp_path_factory.mktemp("sample") / "videos", people=2, clips=1)
