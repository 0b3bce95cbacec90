"""The networks as flow methods."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from mer.decflow.data.warped_photos import read_photos, warped_pair
from mer.decflow.methods import decflow, decflow_paper
from mer.decflow.networks import build
from mer.decflow.weights import WeightsError, save_weights
from tests.decflow.data.warped import QUIET
from tests.decflow.test_paper import formula_weights


def test_importing_the_methods_loads_neither_torch_nor_training_code():
    code = (
        "import sys, mer.decflow.methods\n"
        "training = ('data', 'losses', 'train', 'config', 'checkpoint', 'log', 'initialize')\n"
        "print([m for m in ('torch', *(f'mer.decflow.{t}' for t in training)) if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_inference_loads_no_training_code():
    code = (
        "import sys, numpy as np, mer.decflow.methods as m\n"
        "frame = np.zeros((64, 64, 3), np.uint8); m.decflow(frame, frame)\n"
        "training = ('data', 'losses', 'train', 'config', 'checkpoint', 'log', 'initialize')\n"
        "print([t for t in training if f'mer.decflow.{t}' in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_frames_of_any_size_have_no_expression_outside_the_face(faces, tmp_path, monkeypatch):
    monkeypatch.setenv("MER_WEIGHTS", str(tmp_path))
    torch.manual_seed(0)
    save_weights(tmp_path / "decflow.safetensors", build("lite"), {})
    pair = warped_pair(read_photos([faces], "train")[0], np.random.default_rng(0), 128, QUIET)
    flow = decflow(pair.onset[:101, :97], pair.apex[:101, :97], landmarks=pair.landmarks)
    assert flow.facial.shape == (101, 97, 2)
    assert not flow.expression[flow.mask == 0].any()
    assert np.abs(flow.facial - flow.head - flow.expression).max() < 1e-6
    without = decflow(pair.onset, pair.apex)
    assert without.mask.any()
    with pytest.raises(ValueError, match="uint8"):
        decflow(pair.onset[..., 0], pair.apex[..., 0])


@pytest.mark.parametrize("size", [(64, 64), (75, 90)])
def test_identical_frames_give_exactly_zero_flow(size):
    frame = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    flow = decflow(frame, frame.copy())
    for field in (flow.facial, flow.head, flow.expression):
        assert field.shape == (*size, 2)
        assert not field.any()
    assert flow.mask.any()


def test_the_paper_method_takes_small_frames_and_names_missing_weights(tmp_path, monkeypatch):
    monkeypatch.setenv("MER_WEIGHTS", str(tmp_path))
    frame = np.zeros((90, 70, 3), np.uint8)
    with pytest.raises(WeightsError, match="mer weights convert"):
        decflow_paper(frame, frame)
    save_weights(tmp_path / "decflow-paper.safetensors", build("paper"), {})
    flow = decflow_paper(frame, frame, iterations=1)
    assert flow.facial.shape == (90, 70, 2)
    assert flow.mask.all()


def paper_by_hand(weights, first, second, padding):
    """The published network on frames padded as RAFT's InputPadder does, `padding` being left, right, top, bottom."""
    network = build("paper").eval()
    network.load_state_dict(weights)
    frames = [torch.from_numpy(f.transpose(2, 0, 1).astype(np.float32))[None] for f in (first, second)]
    frames = [torch.nn.functional.pad(f, padding, mode="replicate") for f in frames]
    left, right, top, bottom = padding
    with torch.inference_mode():
        ((facial, head),) = network(*frames, 1)
    height, width = facial.shape[-2:]
    return [f[0, :, top : height - bottom, left : width - right].permute(1, 2, 0).numpy() for f in (facial, head)]


@pytest.mark.parametrize(
    ("size", "padding"),
    [
        ((128, 136), (0, 0, 0, 0)),
        ((131, 142), (1, 1, 2, 3)),  # 5 rows: 2 above, 3 below
        ((88, 93), (1, 34, 0, 40)),  # to a multiple of 8 on both sides, then to 128 at the end
    ],
)
def test_the_paper_network_pads_on_both_sides_as_the_authors_do(size, padding, tmp_path):
    weights = formula_weights()
    path = tmp_path / "paper.safetensors"
    save_file({key: value.contiguous() for key, value in weights.items()}, path)
    rng = np.random.default_rng(0)
    first, second = (rng.integers(0, 256, (*size, 3), np.uint8) for _ in range(2))
    flow = decflow_paper(first, second, weights=path, iterations=1, device="cpu")
    expected = paper_by_hand(weights, first, second, padding)
    for field, truth in zip((flow.facial, flow.head), expected):
        assert field.shape == (*size, 2)
        assert np.abs(field - truth).max() < 1e-3
