import os
import subprocess
import sys

import pytest


def run(code: str, **env: str) -> str:
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, **env}, check=False
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def test_importing_mer_is_quick_and_loads_nothing_heavy():
    heavy = run(
        "import sys, mer; print([m for m in ('torch', 'pandas', 'cv2', 'mediapipe', 'numpy') if m in sys.modules])"
    )
    assert heavy == "[]"


def test_waiting_threads_sleep_unless_the_user_sets_another_policy():
    code = "import mer, os; print(os.environ['OMP_WAIT_POLICY'])"
    environment = {k: v for k, v in os.environ.items() if k != "OMP_WAIT_POLICY"}
    assert subprocess.check_output([sys.executable, "-c", code], env=environment, text=True).strip() == "PASSIVE"
    assert run(code, OMP_WAIT_POLICY="ACTIVE") == "ACTIVE"


def test_every_public_name_exists():
    import mer

    for name in mer.__all__:
        assert getattr(mer, name) is not None
    with pytest.raises(AttributeError, match="flows"):
        _ = mer.flows


def test_no_module_hides_a_public_function():
    assert run(
        "import mer.evaluation.evaluate_folder, mer.extraction.extract, mer\n"
        "print(callable(mer.evaluate), callable(mer.extract_flow))"
    ) == ("True True")


def test_torchvision_imports_with_any_torch():
    code = """
from mer.utils.torch_setup import import_torchvision
torchvision = import_torchvision()
assert import_torchvision() is torchvision
import torch
from torchvision.models.optical_flow import raft_small
boxes = torch.tensor([[0., 0, 10, 10], [1, 1, 11, 11], [20, 20, 30, 30], [0, 0, 10, 10]])
scores = torch.tensor([.5, .9, .3, .4])
print(torchvision.ops.nms(boxes, scores, .5).tolist(), torchvision.ops.nms(boxes[:0], scores[:0], .5).tolist())
print(torchvision.ops.batched_nms(boxes, scores, torch.tensor([0, 0, 0, 1]), .5).tolist())
"""
    assert run(code).splitlines() == ["[1, 2] []", "[1, 3, 2]"]


def test_compiled_operators_are_kept_if_they_load(monkeypatch):
    import mer.utils.torch_setup

    declared = []
    monkeypatch.setattr(mer.utils.torch_setup, "_loads", lambda file: True)
    monkeypatch.setattr(mer.utils.torch_setup, "_declare_operators", lambda: declared.append(True))
    monkeypatch.setattr("importlib.import_module", lambda name: name)
    monkeypatch.setitem(sys.modules, "torchvision", None)
    sys.modules.pop("torchvision")
    assert mer.utils.torch_setup.import_torchvision() == "torchvision"
    assert not declared


def test_suppression_equals_a_plain_loop():
    import numpy as np
    import torch

    from mer.utils.torch_setup import _nms

    rng = np.random.default_rng(0)
    corner = rng.uniform(0, 50, (60, 2))
    boxes = np.hstack([corner, corner + rng.uniform(5, 30, (60, 2))])
    scores = rng.permutation(60) / 60
    kept: list[int] = []
    for i in np.argsort(-scores):
        x0, y0 = np.maximum(boxes[i, :2], boxes[kept, :2]).T
        x1, y1 = np.minimum(boxes[i, 2:], boxes[kept, 2:]).T
        overlap = np.clip(x1 - x0, 0, None) * np.clip(y1 - y0, 0, None)
        areas = (boxes[:, 2:] - boxes[:, :2]).prod(1)
        if not (overlap / (areas[i] + areas[kept] - overlap) > 0.4).any():
            kept.append(int(i))
    assert _nms(torch.tensor(boxes), torch.tensor(scores), 0.4).tolist() == kept
