"""SymNet, a small network of this project: windows of the face as tokens, and a face and its mirror image as one.

Hundreds of clips are few, so it is told what it need not learn: what moves where, as orientation histograms; that a
face is the same face in the mirror; and that neither the strength of a motion nor a single window decides.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

BINS = 8
CHANNELS = BINS + 3  # roots of the histogram's bins, mean u, mean v, root of the mean strain: :func:`symnet_input`


def mirror(x: Tensor) -> Tensor:
    """The tokens of the mirrored face: `(n, 11, blocks, blocks)`.

    Left and right change places. Bin k of 8 starts at motion to the right, so it becomes bin 4 - k; u changes its sign.
    """
    bins = [(BINS // 2 - k) % BINS for k in range(BINS)]
    sign = torch.ones(CHANNELS, 1, 1, dtype=x.dtype, device=x.device)
    sign[BINS] = -1
    return x.flip(3)[:, [*bins, BINS, BINS + 1, BINS + 2]] * sign


def augment(x: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Stronger and weaker motion, blank windows, and clips mixed with others (mixup, Zhang et al., ICLR 2018)."""
    n = len(x)
    x = x * torch.exp(0.2 * torch.randn(n, 1, 1, 1)) + 0.1 * torch.randn_like(x) * x.std()
    x = x * (torch.rand(n, 1, *x.shape[2:]) > 0.1)
    share = torch.distributions.Beta(0.4, 0.4).sample((n, 1))
    share = torch.maximum(share, 1 - share)
    other = torch.randperm(n)
    mixed = share[..., None, None] * x + (1 - share[..., None, None]) * x[other]
    return mixed, share * targets + (1 - share) * targets[other]


class SymNet(nn.Module):
    """Tokens `(n, 11, blocks, blocks)` -> `(n, n_classes)`, the same for a face and its mirror image."""

    def __init__(
        self,
        channels: int,
        size: int,
        n_classes: int,
        width: int = 48,
        heads: int = 4,
        depth: int = 1,
        drop: float = 0.3,
    ) -> None:
        super().__init__()
        if channels != CHANNELS:
            raise ValueError(f"{channels} channels; SymNet takes the {CHANNELS} of symnet_input")
        self.norm = nn.BatchNorm1d(channels * size**2, affine=False)
        self.token = nn.Linear(channels, width)
        self.place = nn.Parameter(torch.randn(1, size**2, width) * 0.02)
        layer = nn.TransformerEncoderLayer(width, heads, 2 * width, drop, "gelu", batch_first=True, norm_first=True)
        self.blocks = nn.TransformerEncoder(layer, depth, enable_nested_tensor=False)
        self.weigh = nn.Linear(width, 1)
        self.head = nn.Sequential(nn.LayerNorm(2 * width), nn.Dropout(drop), nn.Linear(2 * width, n_classes))

    def embed(self, x: Tensor) -> Tensor:
        """What the network sees in one face, without its mirror image: `(n, width)`."""
        tokens = self.blocks(self.token(x.flatten(2).transpose(1, 2)) + self.place)
        return (self.weigh(tokens).softmax(1) * tokens).sum(1)

    def forward(self, x: Tensor) -> Tensor:
        n = len(x)
        both = torch.cat([x, mirror(x)])
        # Statistics of faces and mirrored faces together, so that normalization keeps the symmetry.
        both = self.norm(both.flatten(1)).clamp(-3, 3).unflatten(1, x.shape[1:])
        seen, mirrored = self.embed(both).split(n)
        return self.head(torch.cat([(seen + mirrored) / 2, (seen - mirrored).abs()], 1))
