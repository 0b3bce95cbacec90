"""Fixtures that all tests share, and the rule that nothing is skipped where MER_NO_SKIPS is set."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest

# From Python 3.13 on, MediaPipe has no face mesh in its wheel.
_LANDMARKER = Path(os.environ.get("MER_ASSETS", "")) / "models" / "face_landmarker.task"
if sys.version_info >= (3, 13) and _LANDMARKER.is_file():
    os.environ.setdefault("MER_FACE_LANDMARKER", str(_LANDMARKER))


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the run if tests were skipped although MER_NO_SKIPS says that everything they need is there."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    # Checks that scikit-learn itself skips, since an option of SciPy is off, are located in its own files.
    own = str(session.config.rootpath / "tests")
    reports = reporter.stats.get("skipped", []) if reporter else []
    skipped = sum(str(session.config.rootpath / report.longrepr[0]).startswith(own) for report in reports)
    if skipped and os.environ.get("MER_NO_SKIPS"):
        reporter.write_line(f"MER_NO_SKIPS is set, and {skipped} tests were skipped", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session")
def assets() -> Path:
    """The folder that MER_ASSETS names; the test is skipped without it."""
    folder = os.environ.get("MER_ASSETS")
    if not folder or not Path(folder).is_dir():
        pytest.skip("MER_ASSETS does not name a folder of photographs, models and videos")
    return Path(folder)


@pytest.fixture(scope="session")
def astronaut() -> np.ndarray:
    """The portrait that comes with scikit-image: uint8 (512, 512, 3), RGB, one face."""
    from skimage.data import astronaut

    return astronaut()


@pytest.fixture(scope="session")
def sample_videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The synthetic sample set with two people and one clip for each class; tests must not write into it."""
    from mer.synth.sample_set import make_sample_set

    return make_sample_set(tmp_path_factory.mktemp("sample") / "videos", people=2, clips=1)
