"""R3D-18, a residual network with convolutions over space and time.

Tran, Wang, Torresani, Ray, LeCun and Paluri, "A closer look at spatiotemporal convolutions for action recognition",
CVPR 2018. The default width is a quarter of the published one, since there are only hundreds of clips.
"""

from __future__ import annotations

from torch import Tensor, nn


class _Block(nn.Module):
    def __init__(self, width_in: int, width: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv3d(width_in, width, 3, stride, 1, bias=False), nn.BatchNorm3d(width), nn.ReLU(),
            nn.Conv3d(width, width, 3, padding=1, bias=False), nn.BatchNorm3d(width),
        )  # fmt: skip
        self.shortcut = nn.Sequential()
        if stride > 1 or width_in != width:
            self.shortcut = nn.Sequential(nn.Conv3d(width_in, width, 1, stride, bias=False), nn.BatchNorm3d(width))

    def forward(self, x: Tensor) -> Tensor:
        return (self.body(x) + self.shortcut(x)).relu()


def r3d(channels: int, size: int, n_classes: int, width: int = 16) -> nn.Sequential:
    """Clips `(n, channels, frames, size, size)` -> `(n, n_classes)`; 18 layers with `width` to `8 * width` filters."""
    stem = [nn.Conv3d(channels, width, (3, 7, 7), (1, 2, 2), (1, 3, 3), bias=False), nn.BatchNorm3d(width), nn.ReLU()]
    widths = [width, width, 2 * width, 4 * width, 8 * width]
    blocks = [
        block
        for k in range(4)
        for block in (_Block(widths[k], widths[k + 1], 1 if k == 0 else 2), _Block(widths[k + 1], widths[k + 1], 1))
    ]
    return nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(8 * width, n_classes))
