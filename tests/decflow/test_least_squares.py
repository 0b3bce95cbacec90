"""Closed-form estimates of motion."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from mer.decflow.layers import pixel_grid, warp
from mer.decflow.least_squares import LucasKanade, fit_rigid, revert_if_worse, shrink


def smooth(height=64, width=64, seed=0):
    """A texture without edges, `(1, 1, H, W)`."""
    noise = torch.from_numpy(np.random.default_rng(seed).standard_normal((1, 1, height, width)).astype(np.float32))
    for _ in range(4):
        noise = F.avg_pool2d(F.pad(noise, (2, 2, 2, 2), mode="circular"), 5, stride=1)
    return noise / noise.std()


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


def test_the_initial_flow_returns_where_a_distant_flow_has_a_larger_residual():
    start, flow = torch.full((1, 2, 16, 16), 6.0), torch.zeros(1, 2, 16, 16)
    low, high = torch.full((1, 1, 16, 16), 0.1), torch.full((1, 1, 16, 16), 0.3)
    assert (revert_if_worse(start, low, flow, high) - start).abs().max() < 0.1
    assert revert_if_worse(start, high, flow, low).abs().max() < 0.1  # the flow has the smaller residual
    assert revert_if_worse(start / 12, low, flow, high).abs().max() < 0.02  # half a pixel apart is not distant


def test_flow_far_below_the_noise_shrinks_to_zero_and_flow_far_above_it_stays():
    noise = torch.zeros(1, 1, 8, 8)  # a standard deviation of a quarter of a pixel
    small, large = (torch.full((1, 2, 8, 8), length) for length in (0.01, 5.0))
    assert shrink(small, noise).abs().max() < 0.01 * 0.01
    assert torch.allclose(shrink(large, noise), large, rtol=0.01)
