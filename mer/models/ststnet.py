"""STSTNet, the shallow triple-stream network.

Liong, Gan, See, Khor and Huang, "Shallow Triple Stream Three-dimensional CNN (STSTNet) for Micro-expression
Recognition", FG 2019.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mer.features import uv_strain

if TYPE_CHECKING:
    from torch import nn

STREAMS = (3, 5, 8)  # filters of the three streams


def ststnet_network(channels: int, size: int, n_classes: int) -> nn.Module:
    """The network: `(n, channels, size, size)` -> `(n, n_classes)`; 1,683 parameters for 3 x 28 x 28 and 3 classes.

    The three streams see the same image and differ in nothing but their number of filters, and convolution, batch
    normalization, pooling and dropout treat every filter by itself. So one convolution of 3 + 5 + 8 = 16 filters is the
    same function of the same weights as three of them side by side, and faster.
    """
    from torch import nn

    pooled = ((size + 2 + 2 - 3) // 3 + 1) // 2  # after the convolution, which pads by 2, and both poolings
    return nn.Sequential(
        nn.Conv2d(channels, sum(STREAMS), kernel_size=3, padding=2),  # 28 -> 30
        nn.ReLU(),
        nn.BatchNorm2d(sum(STREAMS)),
        nn.MaxPool2d(kernel_size=3, stride=3, padding=1),  # 30 -> 10
        nn.Dropout(0.5),
        nn.AvgPool2d(kernel_size=2),  # 10 -> 5
        nn.Flatten(),
        nn.Linear(sum(STREAMS) * pooled**2, n_classes),
    )


def ststnet_input(flow: np.ndarray, size: int = 28, scaling: str = "minmax") -> np.ndarray:
    """The image `(size, size, 3)` of one clip: u, v and strain.

    Parameters
    ----------
    flow : (H, W, 2)
    scaling : {"minmax", "metric"}
        `"minmax"`, as published, stretches each channel of each clip to 0..255. That discards how strong the motion is,
        and where its zero is. `"metric"` keeps both: the median vector, what is left of the head's motion, is
        subtracted, and nothing else is done.
    """
    if scaling not in ("minmax", "metric"):
        raise ValueError(f"scaling is {scaling!r}; expected 'minmax' or 'metric'")
    if scaling == "metric":
        return uv_strain(flow - np.median(flow, axis=(0, 1)), size)
    image = uv_strain(flow, size)
    low, high = image.min(axis=(0, 1)), image.max(axis=(0, 1))
    reach = np.where(high > low, high - low, 1)  # a constant channel becomes 0, and not 0 / 0
    return (image - low) * (255 / reach)
