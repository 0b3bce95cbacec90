"""SymNet, a small network of this project, symmetric under mirroring of the face.

With only hundreds of clips, prior knowledge is built in rather than learned: windows of the face are described by
orientation histograms, a face and its mirror image show the same emotion, and augmentation makes the network robust to
the strength of a motion and to missing windows.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

BINS = 8
# Per window: u and v of its 2 x 2 cells, square roots of its orientation histogram, square root of its mean strain.
CHANNELS = 8 + BINS + 1


def mirror_windows(x: Tensor) -> Tensor:
    """The windows of the mirrored face: `(n, 17, blocks, blocks)`.

    Windows, and the cells within each, are swapped from left to right, and u is negated. Bin k of the histogram is
    centered on a direction of k/8 turns from the x axis, so it becomes bin 4 - k.
    """
    cells = [2, 3, 0, 1, 6, 7, 4, 5]  # of (row, column, u and v)
    bins = [8 + (BINS // 2 - k) % BINS for k in range(BINS)]
    sign = torch.ones(CHANNELS, 1, 1, dtype=x.dtype, device=x.device)
    sign[:8:2] = -1
    return x.flip(3)[:, [*cells, *bins, CHANNELS - 1]] * sign


def augment(x: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Random strength and noise, blank windows, and mixtures of two clips (mixup, Zhang et al., ICLR 2018)."""
    n = len(x)
    x = x * torch.exp(0.2 * torch.randn(n, 1, 1, 1)).to(x.device) + 0.1 * torch.randn_like(x) * x.std()
    x = x * (torch.rand(n, 1, *x.shape[2:]) > 0.1).to(x.device)
    share = torch.distributions.Beta(0.4, 0.4).sample((n, 1)).to(x.device)
    share = torch.maximum(share, 1 - share)
    partner = torch.randperm(n)
    mixed = share[..., None, None] * x + (1 - share[..., None, None]) * x[partner]
    return mixed, share * targets + (1 - share) * targets[partner]


class SymNet(nn.Module):
    """Windows `(n, 17, blocks, blocks)` -> `(n, n_classes)`, invariant to mirroring.

    A shared layer embeds each window; a second layer, whose weights depend on the position, combines the windows. The
    class scores depend on the mean of the embeddings of a face and of its mirror image, and on their absolute
    difference, since some expressions are one-sided.

    Parameters
    ----------
    width : int
        Size of the embedding of a window.
    gathered : int
        Size of the embedding of a face.
    drop : float
        Dropout rate.
    """

    def __init__(
        self, channels: int, size: int, n_classes: int, width: int = 24, gathered: int = 64, drop: float = 0.4
    ) -> None:
        super().__init__()
        if channels != CHANNELS:
            raise ValueError(f"got {channels} channels; SymNet takes the {CHANNELS} of symnet_input")
        self.norm = nn.BatchNorm1d(channels * size**2, affine=False)
        self.window = nn.Sequential(nn.Linear(channels, width), nn.GELU())
        self.gather = nn.Sequential(
            nn.Flatten(), nn.Dropout(drop), nn.Linear(size**2 * width, gathered), nn.GELU(), nn.Dropout(drop)
        )
        self.head = nn.Linear(2 * gathered, n_classes)
        self.direct = nn.Linear(channels * size**2, n_classes)

    def embed(self, x: Tensor) -> Tensor:
        """Embedding of each face `(n, gathered)`, without its mirror image."""
        return self.gather(self.window(x.flatten(2).transpose(1, 2)))

    def forward(self, x: Tensor) -> Tensor:
        n = len(x)
        both = torch.cat([x, mirror_windows(x)])
        # Statistics over faces and mirrored faces together, so that normalization preserves the symmetry.
        both = self.norm(both.flatten(1)).clamp(-3, 3).unflatten(1, x.shape[1:])
        original, mirrored = self.embed(both).split(n)
        linear = sum(self.direct(both.flatten(1)).split(n))
        return linear + self.head(torch.cat([(original + mirrored) / 2, (original - mirrored).abs()], 1))
