from __future__ import annotations

import json
from dataclasses import dataclass

import pytest

from mer.synth.render_run import render_all, resumable_run


@dataclass(frozen=True)
class RunSettings:
    seed: int = 3
    faces: str | None = None
    face_model_path: str | None = None


def square(number: int) -> int:
    return number * number


def test_a_run_resumes_only_with_its_settings(tmp_path):
    with resumable_run(tmp_path / "run", RunSettings()):
        pass
    assert json.loads((tmp_path / "run" / "run.json").read_text())["settings"]["seed"] == 3
    with resumable_run(tmp_path / "run", RunSettings()):
        pass
    with pytest.raises(ValueError, match=r"other settings.*seed=3"), resumable_run(tmp_path / "run", RunSettings(4)):
        pass


def test_a_foreign_run_json_is_reported(tmp_path):
    (tmp_path / "run.json").write_text("[]")
    with pytest.raises(ValueError, match="not written by mer synth"), resumable_run(tmp_path, RunSettings()):
        pass


def test_results_are_in_the_order_of_the_jobs(tmp_path):
    assert list(render_all(square, [3, 1, 2], tmp_path, RunSettings(), 1, None)) == [9, 1, 4]
