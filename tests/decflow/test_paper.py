"""The published network: keys, parameter counts, and outputs of the authors' code for weights made by a formula."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest
import torch

from mer.decflow.import_weights import convert
from mer.decflow.paper import PaperDecFlow
from mer.extraction.methods import estimate_flow

HERE = Path(__file__).parent
KEYS = HERE / "paper_state_dict.txt"  # key, shape, type, as the authors' network lists them
GOLDEN = HERE / "paper_golden.npz"  # frames, and the authors' flows at every fourth pixel


def formula_weights() -> dict[str, torch.Tensor]:
    """Reproducible weights: random numbers seeded by the key, scaled so that the flow stays in range."""
    weights = {}
    for line in KEYS.read_text().splitlines():
        key, size, _ = line.split("\t")
        shape = () if size == "scalar" else tuple(int(n) for n in size.split("x"))
        r = np.random.Generator(np.random.Philox(zlib.crc32(key.encode()))).standard_normal(shape)
        if key.endswith("running_var"):
            value = 1 + 0.2 * np.abs(r)
        elif key.endswith("running_mean"):
            value = 0.1 * r
        elif key.endswith("gamma"):
            value = np.full(shape, 0.5)
        elif key.endswith("num_batches_tracked"):
            value = np.zeros(shape)
        elif "flow_head.conv2" in key:
            value = 0.002 * r
        elif len(shape) <= 1:
            value = 1 + 0.1 * r if key.endswith("weight") else 0.1 * r
        else:
            value = r * np.sqrt(1.5 / np.prod(shape[1:]))
        weights[key] = torch.as_tensor(np.asarray(value, np.float32))
    return weights


@pytest.fixture(scope="module")
def network() -> PaperDecFlow:
    network = PaperDecFlow()
    network.load_state_dict(formula_weights(), strict=True)
    return network.eval()


def test_keys_and_shapes_are_those_of_the_checkpoint():
    expected = [tuple(line.split("\t")) for line in KEYS.read_text().splitlines()]
    found = [
        (key, "x".join(map(str, value.shape)) or "scalar", str(value.dtype).removeprefix("torch."))
        for key, value in PaperDecFlow().state_dict().items()
    ]
    assert sorted(found) == sorted(expected)


def test_parameter_counts():
    network = PaperDecFlow()
    count = lambda module: sum(p.numel() for p in module.parameters())  # noqa: E731
    assert count(network) == 20_085_442
    assert count(network.dad_encoder.model[3]) == 7_098_368
    assert count(network.update_block) == count(network.update_block_head)


@pytest.mark.parametrize(
    "iterations", [1, pytest.param(12, marks=pytest.mark.slow), pytest.param(24, marks=pytest.mark.slow)]
)
def test_flow_is_that_of_the_authors_code(network, iterations):
    with np.load(GOLDEN, allow_pickle=False) as golden:
        frames = [torch.from_numpy(golden[name]).permute(2, 0, 1)[None].float() for name in ("first", "second")]
        with torch.inference_mode():
            ((facial, head),) = network(*frames, iterations)
        for name, flow in (("facial", facial), ("head", head), ("expression", facial - head)):
            found = flow[0].permute(1, 2, 0)[::4, ::4].numpy()
            assert np.abs(found - golden[f"{name}_{iterations}"]).max() < 1e-3


@pytest.mark.slow
def test_converted_weights_give_the_same_flow_by_the_name_of_the_method(tmp_path, monkeypatch):
    monkeypatch.setenv("MER_WEIGHTS", str(tmp_path / "weights"))
    torch.save({f"module.{key}": value for key, value in formula_weights().items()}, tmp_path / "authors.pth")
    convert(tmp_path / "authors.pth")
    with np.load(GOLDEN, allow_pickle=False) as golden:
        with pytest.warns(UserWarning, match="mean face"):  # the frames show no face, which changes the mask alone
            flow = estimate_flow(golden["first"], golden["second"], "decflow-paper")
        assert 0 < flow.mask.mean() < 1
        for name in ("facial", "head", "expression"):
            assert np.abs(getattr(flow, name)[::4, ::4] - golden[f"{name}_12"]).max() < 1e-3


def test_by_default_only_the_last_iterate_is_returned(network):
    frames = torch.rand(2, 1, 3, 128, 136) * 255
    with torch.inference_mode():
        last = network(*frames, 3)
        every = network(*frames, 3, all_iterates=True)
    assert len(last) == 1
    assert len(every) == 3
    assert torch.allclose(last[0][0], every[-1][0])
    assert last[0][0].shape == (1, 2, 128, 136)


@pytest.mark.parametrize("shape", [(1, 3, 120, 128), (1, 3, 132, 128), (3, 128, 128)])
def test_unsuitable_frames_are_rejected(network, shape):
    with pytest.raises(ValueError, match="frames"):
        network(torch.zeros(shape), torch.zeros(shape))
