"""SymNet, a small network of this project: windows of the face as tokens, and a face and its mirror image as one.

Hundreds of clips are few, so it is told what it need not learn: what moves where, as orientation histograms; that a
face is the same face in the mirror; and that neither the strength of a motion nor a single window decides.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

BINS = 8
# Of each window: u and v of its 2 x 2 cells, roots of its orientation histogram, root of its mean strain.
CHANNELS = 8 + BINS + 1


def mirror(x: Tensor) -> Tensor:
    """The windows of the mirrored face: `(n, 17, blocks, blocks)`.

    Left and right change places, cells of a window too, and u changes its sign. Bin k of 8 is centered on a direction
    of k eighths of a turn from the right, so it becomes bin 4 - k.
    """
    cells = [2, 3, 0, 1, 6, 7, 4, 5]  # row, column, and u and v
    bins = [8 + (BINS // 2 - k) % BINS for k in range(BINS)]
    sign = torch.ones(CHANNELS, 1, 1, dtype=x.dtype, device=x.device)
    sign[:8:2] = -1
    return x.flip(3)[:, [*cells, *bins, CHANNELS - 1]] * sign


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
    """Windows `(n, 17, blocks, blocks)` -> `(n, n_classes)`, the same for a face and its mirror image.

    What is seen in each window goes through the same weights, `width` numbers; where on the face it is counts in the
    layer that gathers them, `gathered` numbers. The classes are told by the mean of a face and its mirror image and by
    how much they differ: some expressions are one-sided.
    """

    def __init__(
        self, channels: int, size: int, n_classes: int, width: int = 24, gathered: int = 64, drop: float = 0.4
    ) -> None:
        super().__init__()
        if channels != CHANNELS:
            raise ValueError(f"{channels} channels; SymNet takes the {CHANNELS} of symnet_input")
        self.norm = nn.BatchNorm1d(channels * size**2, affine=False)
        self.window = nn.Sequential(nn.Linear(channels, width), nn.GELU())
        self.gather = nn.Sequential(
            nn.Flatten(), nn.Dropout(drop), nn.Linear(size**2 * width, gathered), nn.GELU(), nn.Dropout(drop)
        )
        self.head = nn.Linear(2 * gathered, n_classes)
        self.direct = nn.Linear(channels * size**2, n_classes)

    def embed(self, x: Tensor) -> Tensor:
        """What the network sees in one face, without its mirror image: `(n, gathered)`."""
        return self.gather(self.window(x.flatten(2).transpose(1, 2)))

    def forward(self, x: Tensor) -> Tensor:
        n = len(x)
        both = torch.cat([x, mirror(x)])
        # Statistics of faces and mirrored faces together, so that normalization keeps the symmetry.
        both = self.norm(both.flatten(1)).clamp(-3, 3).unflatten(1, x.shape[1:])
        seen, mirrored = self.embed(both).split(n)
        straight = sum(self.direct(both.flatten(1)).split(n))
        return straight + self.head(torch.cat([(seen + mirrored) / 2, (seen - mirrored).abs()], 1))
