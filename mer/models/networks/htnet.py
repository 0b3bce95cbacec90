"""HTNet, a hierarchical transformer over four parts of the face.

Wang, Zhang, Luo and Sankaranarayana, "HTNet for micro-expression recognition", Neurocomputing 2024 (arXiv 2307.14637),
based on the nested transformer of Zhang et al., AAAI 2022.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

GRID = 4  # tokens per side at the lowest level: patches of 7 x 7 pixels for images of 28 x 28


class _Norm(nn.Module):
    """Layer normalization over the channels of `(n, channels, h, w)`."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class _Attention(nn.Module):
    """Self-attention within windows of `window` x `window` tokens."""

    def __init__(self, width: int, heads: int, window: int) -> None:
        super().__init__()
        self.heads, self.window, self.inner = heads, window, width // heads * heads
        self.norm = _Norm(width)
        self.query_key_value = nn.Conv2d(width, 3 * self.inner, 1, bias=False)
        self.out = nn.Conv2d(self.inner, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        n, _, h, w = x.shape
        s, a, b = self.window, h // self.window, w // self.window
        tokens = self.query_key_value(self.norm(x)).view(n, 3, self.heads, -1, a, s, b, s)
        tokens = tokens.permute(1, 0, 4, 6, 2, 5, 7, 3).flatten(5, 6)  # (3, n, a, b, heads, tokens in a window, depth)
        y = functional.scaled_dot_product_attention(*tokens.flatten(1, 3).unbind())
        y = y.view(n, a, b, self.heads, s, s, -1).permute(0, 3, 6, 1, 4, 2, 5)
        return self.out(y.reshape(n, self.inner, h, w))


class _Block(nn.Module):
    def __init__(self, width: int, heads: int, window: int) -> None:
        super().__init__()
        self.attention = _Attention(width, heads, window)
        self.mlp = nn.Sequential(
            _Norm(width), nn.Conv2d(width, 4 * width, 1), nn.GELU(), nn.Conv2d(4 * width, width, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(x)
        return x + self.mlp(x)


class HTNet(nn.Module):
    """Images `(n, channels, size, size)` of four parts of the face -> `(n, n_classes)`.

    The 4 x 4 patches are the tokens; each level merges 2 x 2 tokens into one.

    Parameters
    ----------
    windows : {"parts", "token"}
        `"parts"`, as in the paper: attention among the four tokens of a part of the face, then among the four parts.
        `"token"`, as in the authors' code: each window holds a single token, so that attention reduces to a linear map.
        Both have the same number of weights except for the position embedding.
    widths, heads, blocks : tuple of int
        One number per level.
    """

    def __init__(
        self,
        channels: int,
        size: int,
        n_classes: int,
        windows: str = "parts",
        widths: tuple[int, ...] = (256, 512, 1024),
        heads: tuple[int, ...] = (3, 6, 12),
        blocks: tuple[int, ...] = (2, 2, 10),
    ) -> None:
        super().__init__()
        if windows not in ("parts", "token"):
            raise ValueError(f"windows is {windows!r}; expected 'parts' or 'token'")
        if size % GRID:
            raise ValueError(f"images of {size} pixels cannot be cut into {GRID} x {GRID} patches")
        self.patch = nn.Conv2d(channels, widths[0], size // GRID, stride=size // GRID)
        # Saved models depend on the attribute names.
        self.levels, self.merges, self.places = nn.ModuleList(), nn.ModuleList(), nn.ParameterList()
        for level, (width, n_heads, repeats) in enumerate(zip(widths, heads, blocks)):
            window = min(2, GRID >> level) if windows == "parts" else 1
            self.places.append(nn.Parameter(torch.randn(1, 1, window, window) * 0.02))
            self.levels.append(nn.Sequential(*(_Block(width, n_heads, window) for _ in range(repeats))))
            if level + 1 < len(widths):
                pool = nn.MaxPool2d(3, stride=2, padding=1)
                wider = widths[level + 1]
                self.merges.append(nn.Sequential(nn.Conv2d(width, wider, 3, padding=1), _Norm(wider), pool))
        self.head = nn.Sequential(nn.LayerNorm(widths[-1]), nn.Linear(widths[-1], n_classes))

    def forward(self, x: Tensor) -> Tensor:
        x = self.patch(x)
        for level, (blocks, position) in enumerate(zip(self.levels, self.places)):
            x = blocks(x + position.repeat(1, 1, x.shape[2] // position.shape[2], x.shape[3] // position.shape[3]))
            if level < len(self.merges):
                x = self.merges[level](x)
        return self.head(x.mean((2, 3)))
