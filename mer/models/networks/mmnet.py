"""MMNet, a network with one branch for motion and one for where on the face it is.

Li, Sui, Zhu and Zhao, "MMNet: muscle motion-guided network for micro-expression recognition", IJCAI 2022.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

WIDTHS = (128, 128, 256, 512)
POSITIONS = 14  # a side of the map on which both branches meet


class _Block(nn.Module):
    """Two convolutions, weighted by an attention map that starts from the one of the block before."""

    def __init__(self, width_in: int, width: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(width_in, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width),
        )  # fmt: skip
        self.shortcut = nn.Sequential(nn.Conv2d(width_in, width, 1, stride, bias=False), nn.BatchNorm2d(width))
        self.look = nn.Conv2d(3, 1, 7, padding=3)

    def forward(self, x: Tensor, before: Tensor) -> tuple[Tensor, Tensor]:
        y = self.body(x)
        before = functional.adaptive_avg_pool2d(before, y.shape[2:])
        look = self.look(torch.cat([y.mean(1, keepdim=True), y.amax(1, keepdim=True), before], 1)).sigmoid()
        return (y * look + self.shortcut(x)).relu(), look


class MMNet(nn.Module):
    """Images `(n, channels, size, size)`, motion first -> `(n, n_classes)`.

    With 6 channels, the last three are the onset's frame, for the branch of positions, and the first three what
    changed up to the apex. With any other number, both branches see the same motion.
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
        look = motion.new_ones(len(x), 1, *motion.shape[2:])
        for block in self.blocks:
            motion, look = block(motion, look)
        tokens = functional.adaptive_avg_pool2d(face, POSITIONS).flatten(2).transpose(1, 2)
        where = self.positions(self.token(tokens) + self.place).transpose(1, 2).unflatten(2, (POSITIONS, POSITIONS))
        motion = functional.adaptive_avg_pool2d(motion, POSITIONS)
        return self.head((motion + where).mean((2, 3)))
