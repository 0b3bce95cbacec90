"""MMNet, with one branch for motion and one for positions on the face.

Li, Sui, Zhu and Zhao, "MMNet: muscle motion-guided network for micro-expression recognition", IJCAI 2022.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from mer.features import mirror

WIDTHS = (128, 128, 256, 512)
POSITIONS = 14  # side of the grid on which both branches meet


class _Block(nn.Module):
    """Two convolutions weighted by a spatial attention map, which depends on the map of the preceding block."""

    def __init__(self, width_in: int, width: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(width_in, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width),
        )  # fmt: skip
        self.shortcut = nn.Sequential(nn.Conv2d(width_in, width, 1, stride, bias=False), nn.BatchNorm2d(width))
        self.look = nn.Conv2d(3, 1, 7, padding=3)  # attention; saved models depend on the attribute name

    def forward(self, x: Tensor, attention: Tensor) -> tuple[Tensor, Tensor]:
        y = self.body(x)
        attention = functional.adaptive_avg_pool2d(attention, y.shape[2:])
        attention = self.look(torch.cat([y.mean(1, keepdim=True), y.amax(1, keepdim=True), attention], 1)).sigmoid()
        return (y * attention + self.shortcut(x)).relu(), attention


class MMNet(nn.Module):
    """Images `(n, channels, size, size)` -> `(n, n_classes)`.

    Of 6 channels, the first three are the change from onset to apex, and the last three the onset frame for the branch
    of positions. With any other number of channels, both branches see the same motion.
    """

    def __init__(
        self, channels: int, size: int, n_classes: int, widths: tuple[int, ...] = WIDTHS, heads: int = 4, depth: int = 2
    ) -> None:
        super().__init__()
        self.split = 3 if channels == 6 else channels
        self.stem = nn.Sequential(
            nn.Conv2d(self.split, widths[0], 3, 2, 1, bias=False), nn.BatchNorm2d(widths[0]), nn.ReLU()
        )
        strides = (1, 2, 2, 2)
        self.blocks = nn.ModuleList(map(_Block, (widths[0], *widths), widths, strides))
        width = widths[-1]
        self.token = nn.Linear(self.split, width)
        self.place = nn.Parameter(torch.randn(1, POSITIONS**2, width) * 0.02)
        layer = nn.TransformerEncoderLayer(
            width, heads, 4 * width, activation="gelu", batch_first=True, norm_first=True
        )
        self.positions = nn.TransformerEncoder(layer, depth, enable_nested_tensor=False)
        self.head = nn.Linear(width, n_classes)

    def forward(self, x: Tensor) -> Tensor:
        motion, face = x[:, : self.split], x[:, -self.split :]
        motion = self.stem(motion)
        attention = motion.new_ones(len(x), 1, *motion.shape[2:])
        for block in self.blocks:
            motion, attention = block(motion, attention)
        tokens = functional.adaptive_avg_pool2d(face, POSITIONS).flatten(2).transpose(1, 2)
        positions = self.positions(self.token(tokens) + self.place).transpose(1, 2).unflatten(2, (POSITIONS, POSITIONS))
        motion = functional.adaptive_avg_pool2d(motion, POSITIONS)
        return self.head((motion + positions).mean((2, 3)))


def jitter_frames(x: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Augmentation as published: random mirroring, rotation by up to 3 degrees, translation by up to 1/28."""
    n = len(x)
    angle = torch.deg2rad((torch.rand(n, device=x.device) - 0.5) * 6)
    flip = 1.0 - 2.0 * (torch.rand(n, device=x.device) < 0.5)
    shift = (torch.rand(n, 2, device=x.device) - 0.5) * 4 / 28
    theta = [flip * angle.cos(), -flip * angle.sin(), shift[:, 0], angle.sin(), angle.cos(), shift[:, 1]]
    grid = functional.affine_grid(torch.stack(theta, 1).view(n, 2, 3), list(x.shape), align_corners=False)
    return functional.grid_sample(x, grid, padding_mode="border", align_corners=False), targets


def jitter_flow(x: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Mirror half of the fields `(n, 3, H, W)`."""
    flip = torch.rand(len(x), 1, 1, 1, device=x.device) < 0.5
    return torch.where(flip, mirror(x), x), targets
