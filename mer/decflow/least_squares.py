"""Closed-form estimates of motion, differentiable: least-squares steps, the rigid head fit, shrinkage.

Flow is `(B, 2, h, w)` on the 1/4 grid in pixels of the frame, x first.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from mer.decflow.layers import warp


class LinearSteps:
    """Least-squares steps of the flow from features, in windows of several widths.

    With gradients `g` of the first frame's features and the difference `d = second(x + flow) - first(x)`, the step
    minimizes the sum of `(g . step + d)^2` over a window and over the features, plus `damping |step|^2`.

    Parameters
    ----------
    first, second : Tensor (B, C, H/2, W/2)
        Features of the two frames.
    windows : tuple of int
        Widths, in cells of the 1/4 grid, odd.
    """

    def __init__(self, first: Tensor, second: Tensor, *, windows: tuple[int, ...], damping: Tensor) -> None:
        # Least squares in float32 also where the convolutions run in bfloat16.
        self.first, self.second, self.windows = first.float(), second.float(), windows
        first = self.first
        padded = F.pad(first, (1, 1, 1, 1), mode="replicate")
        self.dx = (padded[:, :, 1:-1, 2:] - padded[:, :, 1:-1, :-2]) / 2
        self.dy = (padded[:, :, 2:, 1:-1] - padded[:, :, :-2, 1:-1]) / 2
        products = torch.cat(
            [
                (self.dx * self.dx).sum(dim=1, keepdim=True),
                (self.dx * self.dy).sum(dim=1, keepdim=True),
                (self.dy * self.dy).sum(dim=1, keepdim=True),
            ],
            dim=1,
        )
        self.info = F.avg_pool2d(products, 2).split(1, dim=1)  # per cell, for the rigid fit
        self.tensors = []
        for window, damp in zip(windows, damping):
            xx, xy, yy = self._gather(products, window).chunk(3, dim=1)
            xx, yy = xx + damp, yy + damp
            self.tensors.append((xx, xy, yy, xx * yy - xy * xy))
        self.texture = torch.cat(
            [
                _to_cells(torch.log(torch.cat([xx + yy, det / (xx + yy)], dim=1)), window)
                for window, (xx, _, yy, det) in zip(windows, self.tensors)
            ],
            dim=1,
        )

    def __call__(self, flow: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What `flow` `(B, 2, H/4, W/4)`, pixels of the frame, leaves to be moved.

        Returns
        -------
        steps : Tensor (B, 2 windows, H/4, W/4)
            Pixels.
        misfit : Tensor (B, 1, H/4, W/4)
            How badly the features fit.
        pull : Tensor (B, 2, H/4, W/4)
            Right side of the least squares, cell by cell, for :func:`fit_rigid`.
        """
        moved = warp(self.second, upsample2(flow) / 2)
        difference = moved - self.first
        right = torch.cat(
            [(self.dx * difference).sum(dim=1, keepdim=True), (self.dy * difference).sum(dim=1, keepdim=True)], dim=1
        )
        steps = []
        for window, (xx, xy, yy, det) in zip(self.windows, self.tensors):
            bx, by = self._gather(right, window).chunk(2, dim=1)
            step = torch.cat([yy * bx - xy * by, xx * by - xy * bx], dim=1) / det
            steps.append(-2 * _to_cells(step, window))  # 2: from the 1/2 grid to pixels
        misfit = F.avg_pool2d(difference.abs().mean(dim=1, keepdim=True), 2)
        return torch.cat(steps, dim=1), misfit, -2 * F.avg_pool2d(right, 2)

    @staticmethod
    def _gather(x: Tensor, window: int) -> Tensor:
        """Means over a window, on the 1/4 grid, wide ones on the 1/8; two box filters make it rounder than a box."""
        x = F.avg_pool2d(x, 2)
        if window > _NARROW:
            x, window = F.avg_pool2d(x, 2), window // 2 | 1
        for _ in range(2 if window > 1 else 0):
            x = F.avg_pool2d(x, window, stride=1, padding=window // 2, count_include_pad=False)
        return x


_NARROW = 3  # cells; wider windows are smooth enough for half the grid, which takes an eighth of the time


def _to_cells(x: Tensor, window: int) -> Tensor:
    return upsample2(x) if window > _NARROW else x


def fit_rigid(
    flow: Tensor, info: tuple[Tensor, Tensor, Tensor], pull: Tensor, weight: Tensor, depth: Tensor, places: Tensor
) -> Tensor:
    """The motion of a rigid head that explains the frames best: weighted least squares in closed form, differentiable.

    In front of a distant camera, a rigid motion moves the pixel at `(x, y)` with depth `z` by an affine function of
    `(x, y, z)`; a camera at hand adds the fields `(x^2, xy)` and `(xy, y^2)` of the two turns out of the picture, and
    `(xz, yz)` of the way to and fro (Longuet-Higgins & Prazdny, 1980): eleven numbers for the whole face. They minimize
    the sum of `weight (g . (head - flow) + d)^2`, where `g` and `d` are the gradients and differences of features,
    linearized at `flow`: an edge says nothing of motion along itself, so each cell counts by its structure tensor and
    not by a single number.

    Parameters
    ----------
    flow : Tensor (B, 2, h, w)
        Where the differences were taken, pixels.
    info : three Tensors (B, 1, h, w)
        Structure tensor: sums of `gx gx`, `gx gy`, `gy gy` per cell.
    pull : Tensor (B, 2, h, w)
        Sums of `-g d` per cell.
    weight, depth : Tensor (B, 1, h, w)
    places : Tensor (1, 2, h, w)
        Coordinates of the cells, of order one.

    Returns
    -------
    Tensor (B, 2, h, w)
        Pixels.
    """
    with torch.autocast(flow.device.type, enabled=False):
        flow, pull, weight, depth = flow.float(), pull.float(), weight.float(), depth.float()
        batch, _, height, width = flow.shape
        xx, xy, yy = ((weight * part).flatten(2) for part in info)  # (B, 1, n)
        scale = (xx + yy).sum(dim=2, keepdim=True).clamp_min(1e-8)
        xx, xy, yy = xx / scale, xy / scale, yy / scale
        u, v = flow.flatten(2).split(1, dim=1)
        bx, by = ((weight * pull).flatten(2) / scale).split(1, dim=1)

        x, y = places.expand(batch, -1, -1, -1).flatten(2).split(1, dim=1)
        z = depth.flatten(2)
        one, none = torch.ones_like(z), torch.zeros_like(z)
        # Fields of the eleven numbers, (B, 11, n) each: their x and their y component.
        fields_x = torch.cat([one, x, y, z, none, none, none, none, x * x, x * y, x * z], dim=1)
        fields_y = torch.cat([none, none, none, none, one, x, y, z, x * y, y * y, y * z], dim=1)
        pull_x, pull_y = xx * fields_x + xy * fields_y, xy * fields_x + yy * fields_y
        normal = pull_x @ fields_x.transpose(1, 2) + pull_y @ fields_y.transpose(1, 2)
        right = ((xx * u + xy * v + bx) * fields_x + (xy * u + yy * v + by) * fields_y).sum(dim=2, keepdim=True)
        numbers = torch.linalg.solve(normal + torch.diag(normal.new_tensor(_RIDGE)), right)  # (B, 11, 1)
        head = torch.cat([(numbers * fields_x).sum(dim=1), (numbers * fields_y).sum(dim=1)], dim=1)
        return head.view(batch, 2, height, width)


# Without texture in some direction the head stands still in it; what a camera at hand adds is small.
_RIDGE = [1e-6, 1e-5, 1e-5, 1e-4] * 2 + [1e-3] * 3


def shrink(expression: Tensor, gate: Tensor) -> Tensor:
    """Expression flow as far as it stands out of its noise.

    A Wiener filter: each place is multiplied by `s / (s + t)`, where `s` is the mean square of the flow around it and
    `t` that of the noise, which the decoder estimates: `(0.25 px)^2` where `gate` is zero.
    """
    x, y = expression.split(1, dim=1)
    power = F.avg_pool2d(x * x + y * y, 5, stride=1, padding=2, count_include_pad=False)
    return expression * (power / (power + 0.0625 * torch.exp(2 * gate.clamp(-4, 4))))


def stand(start: Tensor, start_misfit: Tensor, flow: Tensor, misfit: Tensor) -> Tensor:
    """`flow`, but where it is pixels away from `start` and explains the frames worse, `start`.

    A network that has never seen a motion so large may take it for noise; what the frames say is plain then.
    """
    x, y = (start - flow).split(1, dim=1)
    far = torch.sigmoid(3 * (torch.sqrt(x * x + y * y + 1e-6) - 2))
    before, after = (F.avg_pool2d(m, 5, stride=1, padding=2, count_include_pad=False) for m in (start_misfit, misfit))
    worse = torch.sigmoid(30 * (after / before.clamp_min(1e-6) - 1.2))
    share = F.avg_pool2d(far * worse, 3, stride=1, padding=1, count_include_pad=False)
    return flow + share * (start - flow)


def squash(flow: Tensor) -> Tensor:
    """Displacements in a range that convolutions like: linear far below a pixel, logarithmic far above."""
    return torch.sign(flow) * torch.log1p(4 * flow.abs())


def upsample2(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
