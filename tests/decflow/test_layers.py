"""Layers of the networks."""

from __future__ import annotations

import torch

from mer.decflow.layers import convex_upsample, warp
from tests.decflow.test_least_squares import smooth


def test_a_warp_by_whole_pixels_is_a_shift():
    image = smooth()
    moved = warp(image, torch.tensor([3.0, 1.0]).view(1, 2, 1, 1).expand(1, 2, 64, 64))
    assert torch.allclose(moved[..., :-1, :-3], image[..., 1:, 3:], atol=1e-4)


def test_convex_upsampling_keeps_a_constant_flow_inside():
    flow = torch.full((1, 2, 6, 7), 0.5)
    fine = convex_upsample(flow, torch.randn(1, 9 * 64, 6, 7), 8)
    assert fine.shape == (1, 2, 48, 56)
    assert torch.allclose(fine[..., 8:-8, 8:-8], torch.tensor(4.0))
