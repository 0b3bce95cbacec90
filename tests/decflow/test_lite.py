from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from mer.decflow.layers import convex_upsample, pixel_grid, warp
from mer.decflow.least_squares import LucasKanade, fit_rigid, revert_if_worse
from mer.decflow.lite import LiteDecFlow, LiteSizes
from mer.decflow.losses import Loss, sequence_loss
from mer.decflow.methods import decflow, decflow_paper
from mer.decflow.networks import build, predict
from mer.decflow.weights import WeightsError, save_weights
from tests.decflow.data.test_sources import QUIET, faces, warped_pair  # noqa: F401


def smooth(height=64, width=64, seed=0):
    """A texture without edges, `(1, 1, H, W)`."""
    noise = torch.from_numpy(np.random.default_rng(seed).standard_normal((1, 1, height, width)).astype(np.float32))
    for _ in range(4):
        noise = F.avg_pool2d(F.pad(noise, (2, 2, 2, 2), mode="circular"), 5, stride=1)
    return noise / noise.std()


def test_a_warp_by_whole_pixels_is_a_shift():
    image = smooth()
    moved = warp(image, torch.tensor([3.0, 1.0]).view(1, 2, 1, 1).expand(1, 2, 64, 64))
    assert torch.allclose(moved[..., :-1, :-3], image[..., 1:, 3:], atol=1e-4)


def test_convex_upsampling_keeps_a_constant_flow_inside():
    flow = torch.full((1, 2, 6, 7), 0.5)
    fine = convex_upsample(flow, torch.randn(1, 9 * 64, 6, 7), 8)
    assert fine.shape == (1, 2, 48, 56)
    assert torch.allclose(fine[..., 8:-8, 8:-8], torch.tensor(4.0))


@pytest.mark.parametrize("shift", [(0.3, 0.0), (-0.2, 0.4)])
def test_lucas_kanade_steps_find_a_subpixel_shift(shift):
    first = smooth()
    second = warp(
        first, -torch.tensor(shift).view(1, 2, 1, 1).expand(1, 2, 64, 64) / 2
    )  # features live on the 1/2 grid
    lucas_kanade = LucasKanade(first, second, windows=(3, 9), damping=torch.tensor([1e-4, 1e-4]))
    flow = torch.zeros(1, 2, 32, 32)
    for _ in range(3):
        flow = flow + lucas_kanade(flow)[0][:, 2:]
    found = flow[..., 8:-8, 8:-8].mean(dim=(0, 2, 3))
    assert torch.allclose(found, torch.tensor(shift), atol=0.02)
    assert (
        lucas_kanade(flow)[1][..., 8:-8, 8:-8].mean()
        < lucas_kanade(torch.zeros_like(flow))[1][..., 8:-8, 8:-8].mean() / 3
    )


def rigid_scene():
    grid = pixel_grid(torch.zeros(1, 1, 24, 24)) / 12 - 1
    depth = (grid**2).sum(dim=1, keepdim=True)
    flow = torch.cat([0.4 + 0.3 * grid[:, 1:] - 0.5 * depth, -0.2 + 0.1 * grid[:, :1] + 0.2 * depth], dim=1)
    return grid, depth, flow


def test_a_rigid_motion_is_fitted_exactly():
    grid, depth, flow = rigid_scene()
    one, zero = torch.ones_like(depth), torch.zeros_like(depth)
    found = fit_rigid(flow, (one, zero, one), torch.zeros_like(flow), one, depth, grid)
    assert (found - flow).abs().max() < 2e-3


def test_cells_with_edges_constrain_the_fit_across_the_edge_only():
    grid, depth, flow = rigid_scene()
    # Alternate columns have gradients along x only or along y only; the other component of their flow is wrong.
    angle = (torch.arange(24) % 2 * torch.pi / 2).view(1, 1, 1, 24).expand(1, 1, 24, 24)
    information = (angle.cos() ** 2, angle.cos() * angle.sin(), angle.sin() ** 2)
    unseen = torch.cat(
        [torch.where(information[0] > 0.5, 0.0, 5.0), torch.where(information[2] > 0.5, 0.0, 5.0)], dim=1
    )
    found = fit_rigid(flow + unseen, information, torch.zeros_like(flow), torch.ones_like(depth), depth, grid)
    assert (found - flow).abs().max() < 0.02


def test_cells_without_weight_do_not_count_and_the_fit_is_differentiable():
    grid, depth, flow = rigid_scene()
    one, zero = torch.ones_like(depth), torch.zeros_like(depth)
    skin = torch.zeros_like(depth)
    skin[..., 15:20, 8:16] = 1
    moved = flow + 2 * skin
    weight = (1 - skin).requires_grad_()
    found = fit_rigid(moved, (one, zero, one), torch.zeros_like(flow), weight, depth, grid)
    assert (found - flow).abs().max() < 2e-3
    found.sum().backward()
    assert torch.isfinite(weight.grad).all()


def batch(faces, count=2, size=64):  # noqa: F811
    from mer.decflow.data.sources import Batches, open_source

    dataset = Batches([open_source(faces, "train")], size, seed=1)
    pairs = [dataset[n] for n in range(count)]
    return {name: torch.stack([pair[name] for pair in pairs]) for name in pairs[0]}


def test_the_initial_flow_returns_where_a_distant_flow_has_a_larger_residual():
    start, flow = torch.full((1, 2, 16, 16), 6.0), torch.zeros(1, 2, 16, 16)
    low, high = torch.full((1, 1, 16, 16), 0.1), torch.full((1, 1, 16, 16), 0.3)
    assert (revert_if_worse(start, low, flow, high) - start).abs().max() < 0.1
    assert revert_if_worse(start, high, flow, low).abs().max() < 0.1  # the flow has the smaller residual
    assert revert_if_worse(start / 12, low, flow, high).abs().max() < 0.02  # half a pixel apart is not distant


def test_shapes_iterates_and_gradients(faces):  # noqa: F811
    b, network = batch(faces), build("lite")
    iterates = predict(network, b, 3, all_iterates=True)
    assert len(iterates) == 3
    assert iterates[0][0].shape == iterates[0][1].shape == b["facial"].shape
    assert torch.equal(predict(network, b, 3)[0][0], iterates[-1][0])
    sequence_loss(iterates, b, Loss())[0].backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name


def test_half_precision_gives_nearly_the_same_flow(faces):  # noqa: F811
    b, network = batch(faces), build("lite").eval()
    with torch.inference_mode():
        full = predict(network, b)[0]
        with torch.autocast("cpu", torch.bfloat16):
            half = predict(network, b)[0]
    for a, c in zip(full, half):
        assert c.dtype == torch.float32
        assert (a - c).abs().mean() < 0.02


def test_without_the_prior_the_network_reads_position_alone(faces):  # noqa: F811
    b = batch(faces)
    network = LiteDecFlow(replace(LiteSizes(), prior=False)).eval()
    before = predict(network, b)[0][0]
    b["prior"] = torch.randn_like(b["prior"])
    assert torch.equal(predict(network, b)[0][0], before)


def test_weights_are_a_few_megabytes():
    assert sum(4 * p.numel() for p in build("lite").parameters()) < 8e6


def test_the_method_takes_any_size_and_gives_no_expression_outside_the_face(faces, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.setenv("MER_WEIGHTS", str(tmp_path))
    torch.manual_seed(0)
    save_weights(tmp_path / "decflow.safetensors", build("lite"), {})
    from mer.decflow.data.warped_photos import read_photos

    pair = warped_pair(read_photos([faces], "train")[0], np.random.default_rng(0), 128, QUIET)
    flow = decflow(pair.onset[:101, :97], pair.apex[:101, :97], landmarks=pair.landmarks)
    assert flow.facial.shape == (101, 97, 2)
    assert not flow.expression[flow.mask == 0].any()
    assert np.abs(flow.facial - flow.head - flow.expression).max() < 1e-6
    without = decflow(pair.onset, pair.apex)
    assert without.mask.any()
    with pytest.raises(ValueError, match="uint8"):
        decflow(pair.onset[..., 0], pair.apex[..., 0])


def test_the_paper_method_pads_small_and_odd_frames_and_says_what_it_lacks(tmp_path, monkeypatch):
    monkeypatch.setenv("MER_WEIGHTS", str(tmp_path))
    frame = np.zeros((90, 70, 3), np.uint8)
    with pytest.raises(WeightsError, match="mer weights convert"):
        decflow_paper(frame, frame)
    save_weights(tmp_path / "decflow-paper.safetensors", build("paper"), {})
    flow = decflow_paper(frame, frame, iterations=1)
    assert flow.facial.shape == (90, 70, 2)
    assert flow.mask.all()


def overfit(pairs, seconds=110.0):
    """Train on a handful of pairs; the masked expression error, in pixels, and that of 'no expression'."""
    import time

    b = {name: torch.stack([pair[name] for pair in pairs]) for name in pairs[0]}
    torch.manual_seed(0)
    network = build("lite").to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
    began, steps = time.process_time(), 400
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = 3e-3 * (1 - step / steps)
        iterates = predict(network, b, 2, all_iterates=True)
        loss, epe = sequence_loss(iterates, b, Loss())
        if epe["expression"] < 0.045 or time.process_time() - began > seconds:
            break
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
    print(f"step {step}, {time.process_time() - began:.0f} s, { ({k: round(float(v), 4) for k, v in epe.items()}) }")
    return float(epe["expression"]), float(epe["none"])


@pytest.mark.slow
def test_eight_rendered_pairs_are_overfitted_in_two_minutes():
    data = pytest.importorskip("mer.decflow.data.sources")
    try:
        source = data.open_source("render:makehuman", "train")
    except (OSError, ImportError) as error:
        pytest.skip(str(error))
    person = lru_cache(source._make_person)
    source._person = lambda identity: person(identity % 2)  # two people will do
    source.large = 0.0
    dataset = data.Batches([source], 96, seed=2)
    expression, none = overfit([dataset[n] for n in range(8)])
    assert none > 0.08
    assert expression < 0.05
