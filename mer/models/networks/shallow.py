"""Shallow convolutional networks, as published."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class OffApexNet(nn.Module):
    """Gan, Liong, Yau, Huang and Tan, "OFF-ApexNet on micro-expression recognition system", Signal Processing: Image
    Communication 2019: one stream for u and one for v.

    2,664,475 parameters for 2 x 28 x 28 and 3 classes. The paper gives 2.77 million, without details that would explain
    the difference.
    """

    def __init__(self, channels: int, size: int, n_classes: int) -> None:
        super().__init__()
        self.streams = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
                nn.Conv2d(6, 16, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
            )
            for _ in range(channels)
        )  # fmt: skip
        self.head = nn.Sequential(
            nn.Linear(channels * 16 * (size // 4) ** 2, 1024), nn.ReLU(), nn.Dropout(0.5),
            nn.Linear(1024, 1024), nn.ReLU(), nn.Dropout(0.5), nn.Linear(1024, n_classes),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.cat([stream(x[:, k : k + 1]) for k, stream in enumerate(self.streams)], 1))


def sssnet(channels: int, size: int, n_classes: int) -> nn.Sequential:
    """SSSNet of the toolkit MEB (Varanka, Li, Peng and Zhao, IEEE TAC 2024): one stream, two convolutions.

    1,349,251 parameters for 3 x 64 x 64 and 3 classes.
    """
    pooled = ((size - 4) // 3 - 2) // 2
    return nn.Sequential(
        nn.Conv2d(channels, 32, 5), nn.ReLU(), nn.MaxPool2d(3), nn.BatchNorm2d(32), nn.Dropout2d(0.5),
        nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2), nn.BatchNorm2d(64), nn.Dropout2d(0.5), nn.Flatten(),
        nn.Linear(64 * pooled**2, 256), nn.ReLU(), nn.Dropout(0.5), nn.Linear(256, n_classes),
    )  # fmt: skip


class RCNA(nn.Module):
    """RCN-A: a recurrent convolutional network with parameter-free attention.

    Xia, Peng, Khor and Zhao, "Revealing the invisible with model and data shrinking for composite-database
    micro-expression recognition", IEEE TIP 2020.
    """

    def __init__(self, channels: int, size: int, n_classes: int, width: int = 64, steps: int = 2) -> None:
        super().__init__()
        self.first = nn.Sequential(
            nn.Conv2d(channels, width, 5), nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.5)
        )
        self.forward_convolution = nn.Conv2d(width, width, 1)
        self.recurrent = nn.Conv2d(width, width, 3, padding=1)  # shared by all steps
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) for _ in range(steps))
        self.last = nn.Sequential(nn.MaxPool2d(2), nn.Dropout(0.5), nn.AdaptiveAvgPool2d(7))
        self.linear = nn.Linear(width * 49, n_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.forward_convolution(self.first(x))
        y = torch.zeros_like(x)
        for norm in self.norms:
            y = norm(self.recurrent(x + y)).relu()
        y = self.last(y)
        # Attention (n, 7, 7), from 0 to 1: class activation maps by the last layer's weights, averaged over classes.
        weight = self.linear.weight
        attention = torch.einsum("nchw,kchw->nhw", y, weight.unflatten(1, y.shape[1:])) / len(weight)
        low, high = attention.amin((1, 2), keepdim=True), attention.amax((1, 2), keepdim=True)
        return self.linear((y * ((attention - low) / (high - low + 1e-6))[:, None]).flatten(1))


class _Inception(nn.Module):
    def __init__(self, channels: int, filters: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            [
                nn.Conv2d(channels, filters, 1),
                nn.Sequential(nn.Conv2d(channels, filters, 1), nn.ReLU(), nn.Conv2d(filters, filters, 3, padding=1)),
                nn.Sequential(nn.Conv2d(channels, filters, 1), nn.ReLU(), nn.Conv2d(filters, filters, 5, padding=2)),
                nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1), nn.Conv2d(channels, filters, 1)),
            ]
        )

    def forward(self, x: Tensor) -> Tensor:
        return functional.max_pool2d(torch.cat([branch(x) for branch in self.branches], 1).relu(), 2)


class DualInception(nn.Module):
    """Zhou, Mao and Xue, "Dual-inception network for cross-database micro-expression recognition", FG 2019: one stream
    for u and one for v. 6,449,867 parameters for 2 x 28 x 28 and 3 classes.
    """

    def __init__(self, channels: int, size: int, n_classes: int) -> None:
        super().__init__()
        self.streams = nn.ModuleList(nn.Sequential(_Inception(1, 6), _Inception(24, 16)) for _ in range(channels))
        self.head = nn.Sequential(
            nn.Flatten(), nn.Linear(channels * 64 * (size // 4) ** 2, 1024), nn.ReLU(), nn.Linear(1024, n_classes)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.cat([stream(x[:, k : k + 1]) for k, stream in enumerate(self.streams)], 1))
