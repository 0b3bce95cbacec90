"""Fixtures of several tests."""

from __future__ import annotations

import pytest

from mer.decflow.config import Config
from tests.decflow.faces import write_faces


@pytest.fixture(scope="session")
def faces(tmp_path_factory):
    """A folder of invented faces."""
    return write_faces(tmp_path_factory.mktemp("faces"), 24)


@pytest.fixture
def config(faces, tmp_path):
    """Settings of a run that takes a second."""
    return Config(
        data=[str(faces)], out=str(tmp_path / "run"), steps=6, batch=2, size=64, iterations=2, lr=1e-3,
        val_pairs=2, val_every=3, log_every=1, save_minutes=1e9, device="cpu",
    )  # fmt: skip


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The user's folder of weights, empty."""
    monkeypatch.setenv("MER_WEIGHTS", str(tmp_path / "mine"))
    (tmp_path / "mine").mkdir()
    return tmp_path / "mine"
