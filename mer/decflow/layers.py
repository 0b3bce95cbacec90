"""Layers of the DecFlow networks: blocks of RAFT (Teed & Deng, ECCV 2020), bilinear sampling, upsampling.

Tensors are `(B, C, H, W)`; flow is `(B, 2, H, W)` in pixels of its own grid, x first.
"""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Norm = Callable[[int], nn.Module]  # channels -> layer: nn.BatchNorm2d or nn.InstanceNorm2d


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions and a shortcut."""

    def __init__(self, inputs: int, outputs: int, norm: Norm, *, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.norm1 = norm(outputs)
        self.norm2 = norm(outputs)
        self.downsample: nn.Sequential | None = None
        if stride > 1:
            # The same module under two names, as in RAFT: its checkpoints hold both.
            self.norm3 = norm(outputs)
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride=stride), self.norm3)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.norm1(self.conv1(x)))
        y = F.relu(self.norm2(self.conv2(y)))
        return F.relu((x if self.downsample is None else self.downsample(x)) + y)


class Encoder(nn.Module):
    """Frame `(B, 3, H, W)` to features `(B, channels, H/8, W/8)` (RAFT's BasicEncoder)."""

    def __init__(self, channels: int, norm: Norm) -> None:
        super().__init__()
        self.norm1 = norm(64)
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3)
        self.layer1 = nn.Sequential(ResidualBlock(64, 64, norm), ResidualBlock(64, 64, norm))
        self.layer2 = nn.Sequential(ResidualBlock(64, 96, norm, stride=2), ResidualBlock(96, 96, norm))
        self.layer3 = nn.Sequential(ResidualBlock(96, 128, norm, stride=2), ResidualBlock(128, 128, norm))
        self.conv2 = nn.Conv2d(128, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.norm1(self.conv1(x)))
        return self.conv2(self.layer3(self.layer2(self.layer1(x))))


def pixel_grid(like: Tensor) -> Tensor:
    """Pixel coordinates `(1, 2, H, W)` of the grid of `like`, x first."""
    sides = [torch.arange(side, device=like.device, dtype=like.dtype) for side in like.shape[-2:]]
    y, x = torch.meshgrid(*sides, indexing="ij")
    return torch.stack([x, y])[None]


def sample(image: Tensor, points: Tensor, padding: str = "zeros") -> Tensor:
    """Bilinear values of `image` `(B, C, H, W)` at pixel coordinates `points` `(B, 2, h, w)`, x first."""
    height, width = image.shape[-2:]
    scale = points.new_tensor([2 / (width - 1), 2 / (height - 1)]).view(1, 2, 1, 1)
    grid = (points * scale - 1).permute(0, 2, 3, 1)
    return F.grid_sample(image, grid, mode="bilinear", padding_mode=padding, align_corners=True)


def warp(image: Tensor, flow: Tensor) -> Tensor:
    """`image` pulled back along `flow`: the value at `x` is `image(x + flow(x))`; outside, the border is repeated."""
    return sample(image, pixel_grid(image) + flow, padding="border")


class Correlation:
    """All-pairs correlation of two feature maps `(B, C, H, W)`, sampled around given points (RAFT, Section 3.2).

    Each level of the pyramid halves the second frame's grid; the window is `2 radius + 1` wide on every level.
    """

    def __init__(self, first: Tensor, second: Tensor, *, levels: int, radius: int) -> None:
        batch, channels, height, width = first.shape
        volume = torch.einsum("bcn,bcm->bnm", first.flatten(2), second.flatten(2)) / math.sqrt(channels)
        volume = volume.reshape(batch * height * width, 1, height, width)
        self.pyramid = [volume]
        for _ in range(levels - 1):
            volume = F.avg_pool2d(volume, 2, stride=2)
            self.pyramid.append(volume)
        offset = torch.arange(-radius, radius + 1, device=first.device, dtype=first.dtype)
        # In RAFT, x varies along the first axis of the window, and the weights are trained for that order.
        self.window = torch.stack(torch.meshgrid(offset, offset, indexing="ij"))[None]  # (1, 2, 2r+1, 2r+1)

    def __call__(self, points: Tensor) -> Tensor:
        """Correlations `(B, levels (2 radius + 1)^2, H, W)` around `points` `(B, 2, H, W)` in feature pixels."""
        batch, _, height, width = points.shape
        centers = points.permute(0, 2, 3, 1).reshape(-1, 2, 1, 1)
        correlations = [
            sample(volume, centers / 2**level + self.window).view(batch, height, width, -1)
            for level, volume in enumerate(self.pyramid)
        ]
        return torch.cat(correlations, dim=-1).permute(0, 3, 1, 2).contiguous()


class SeparableGRU(nn.Module):
    """Convolutional GRU in two passes, along rows and then along columns (RAFT, Section 3.3)."""

    def __init__(self, *, hidden: int, inputs: int) -> None:
        super().__init__()
        both = hidden + inputs
        self.convz1, self.convr1, self.convq1 = (nn.Conv2d(both, hidden, (1, 5), padding=(0, 2)) for _ in range(3))
        self.convz2, self.convr2, self.convq2 = (nn.Conv2d(both, hidden, (5, 1), padding=(2, 0)) for _ in range(3))

    def forward(self, hidden: Tensor, inputs: Tensor) -> Tensor:
        for convz, convr, convq in ((self.convz1, self.convr1, self.convq1), (self.convz2, self.convr2, self.convq2)):
            both = torch.cat([hidden, inputs], dim=1)
            update, reset = torch.sigmoid(convz(both)), torch.sigmoid(convr(both))
            candidate = torch.tanh(convq(torch.cat([reset * hidden, inputs], dim=1)))
            hidden = (1 - update) * hidden + update * candidate
        return hidden


class FlowHead(nn.Module):
    """Hidden state to an update of the flow."""

    def __init__(self, *, hidden: int, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(hidden, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, 2, 3, padding=1)

    def forward(self, hidden: Tensor) -> Tensor:
        return self.conv2(F.relu(self.conv1(hidden)))


def convex_upsample(flow: Tensor, mask: Tensor, factor: int) -> Tensor:
    """Flow on a finer grid: each new pixel is a convex combination of its 3 x 3 coarse neighbors (RAFT, Section 3.3).

    `mask` `(B, 9 factor^2, h, w)` holds the logits of the weights.
    """
    batch, _, height, width = flow.shape
    weight = mask.view(batch, 1, 9, factor, factor, height, width).softmax(dim=2)
    near = F.unfold(factor * flow, 3, padding=1).view(batch, 2, 9, 1, 1, height, width)
    fine = (weight * near).sum(dim=2)  # (B, 2, factor, factor, h, w)
    return fine.permute(0, 1, 4, 2, 5, 3).reshape(batch, 2, factor * height, factor * width)
