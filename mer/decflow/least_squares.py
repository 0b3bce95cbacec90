"""Closed-form estimates of motion, differentiable: Lucas-Kanade steps, the rigid head fit, shrinkage.

Flow is `(B, 2, h, w)` on the 1/4 grid in pixels of the frame, x first.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from mer.decflow.layers import warp

# Cells. Wider windows are smooth enough to be computed on half the grid, which takes an eighth of the time.
NARROW = 3

# Ridge penalties of the rigid fit, x and y: shift, slopes in x, y and depth; then the three perspective fields, which
# are small. In a direction without texture the head does not move.
RIDGE = [1e-6, 1e-5, 1e-5, 1e-4] * 2 + [1e-3] * 3


class LucasKanade:
    """Least-squares steps of the flow from features, in windows of several widths.

    With gradients `g` of the first frame's features and the difference `d = second(x + flow) - first(x)`, the step
    minimizes the sum of `(g . step + d)^2` over a window and over the features, plus `damping |step|^2`.

    The features are `(B, C, H/2, W/2)`; `windows` are odd widths in cells of the 1/4 grid, with one damping each.
    `information` has the structure tensor per cell, three `(B, 1, H/4, W/4)`: sums of `gx gx`, `gx gy` and `gy gy` over
    the features. `texture` `(B, 2 windows, H/4, W/4)` has the logarithms of its trace and normalized determinant: how
    well a window determines motion.
    """

    def __init__(self, first: Tensor, second: Tensor, *, windows: tuple[int, ...], damping: Tensor) -> None:
        # Least squares needs float32 even if the convolutions run in bfloat16.
        self.first, self.second, self.windows = first.float(), second.float(), windows
        padded = F.pad(self.first, (1, 1, 1, 1), mode="replicate")
        self.dx = (padded[:, :, 1:-1, 2:] - padded[:, :, 1:-1, :-2]) / 2
        self.dy = (padded[:, :, 2:, 1:-1] - padded[:, :, :-2, 1:-1]) / 2
        products = torch.cat([_dot(self.dx, self.dx), _dot(self.dx, self.dy), _dot(self.dy, self.dy)], dim=1)
        self.information = F.avg_pool2d(products, 2).split(1, dim=1)
        self.normal_matrices = []  # per window: xx, xy, yy and the determinant
        for window, damp in zip(windows, damping):
            xx, xy, yy = _window_mean(products, window).split(1, dim=1)
            xx, yy = xx + damp, yy + damp
            self.normal_matrices.append((xx, xy, yy, xx * yy - xy * xy))
        textures = [
            _to_quarter_grid(torch.log(torch.cat([xx + yy, det / (xx + yy)], dim=1)), window)
            for window, (xx, _, yy, det) in zip(windows, self.normal_matrices)
        ]
        self.texture = torch.cat(textures, dim=1)

    def __call__(self, flow: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Motion that remains after `flow`: `(steps, residual, right_side)`, all on the 1/4 grid.

        Steps `(B, 2 windows, h, w)` are x and y of each window in turn. The residual `(B, 1, h, w)` is the mean
        absolute difference of the warped features. The right side `(B, 2, h, w)` is `-g d` per cell.
        """
        difference = warp(self.second, upsample2(flow) / 2) - self.first
        gradient = torch.cat([_dot(self.dx, difference), _dot(self.dy, difference)], dim=1)
        steps = []
        for window, (xx, xy, yy, det) in zip(self.windows, self.normal_matrices):
            bx, by = _window_mean(gradient, window).split(1, dim=1)
            step = torch.cat([yy * bx - xy * by, xx * by - xy * bx], dim=1) / det
            steps.append(-2 * _to_quarter_grid(step, window))  # 2: from the 1/2 grid to pixels
        residual = F.avg_pool2d(difference.abs().mean(dim=1, keepdim=True), 2)
        return torch.cat(steps, dim=1), residual, -2 * F.avg_pool2d(gradient, 2)


def box_filter(x: Tensor, width: int) -> Tensor:
    """Mean over windows of odd width; at the border, over their part inside."""
    return F.avg_pool2d(x, width, stride=1, padding=width // 2, count_include_pad=False)


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum(dim=1, keepdim=True)


def _window_mean(x: Tensor, window: int) -> Tensor:
    """Mean over a window, on the 1/4 grid or, if the window is wide, on the 1/8 grid.

    Two box filters in a row approximate a round window.
    """
    x = F.avg_pool2d(x, 2)
    if window > NARROW:
        x, window = F.avg_pool2d(x, 2), window // 2 | 1
    for _ in range(2 if window > 1 else 0):
        x = box_filter(x, window)
    return x


def _to_quarter_grid(x: Tensor, window: int) -> Tensor:
    return upsample2(x) if window > NARROW else x


def fit_rigid(
    flow: Tensor, information: Sequence[Tensor], right_side: Tensor, weight: Tensor, depth: Tensor, coordinates: Tensor
) -> Tensor:
    """Flow of the rigid head that explains the frames best: weighted least squares in closed form, differentiable.

    In front of a distant camera, a rigid motion moves the pixel at `(x, y)` with depth `z` by an affine function of
    `(x, y, z)`. A near camera adds the fields `(x^2, xy)` and `(xy, y^2)` of the two out-of-plane rotations, and
    `(xz, yz)` of the translation in depth (Longuet-Higgins & Prazdny, 1980): eleven parameters for the whole face. They
    minimize the sum of `weight (g . (head - flow) + d)^2`, where `g` and `d` are the gradients and differences of
    features, linearized at `flow`. Each cell counts by its structure tensor, not by a single weight, since an edge does
    not determine the motion along itself.

    `information` and `right_side` are those of :class:`LucasKanade` at `flow`; `weight` and `depth` are `(B, 1, h, w)`,
    and `coordinates` `(1, 2, h, w)` are `x` and `y` of the cells, of order one.
    """
    with torch.autocast(flow.device.type, enabled=False):
        flow, right_side, weight, depth = flow.float(), right_side.float(), weight.float(), depth.float()
        batch, _, height, width = flow.shape
        xx, xy, yy = ((weight * part).flatten(2) for part in information)  # (B, 1, n)
        scale = (xx + yy).sum(dim=2, keepdim=True).clamp_min(1e-8)
        xx, xy, yy = xx / scale, xy / scale, yy / scale
        u, v = flow.flatten(2).split(1, dim=1)
        bx, by = ((weight * right_side).flatten(2) / scale).split(1, dim=1)

        x, y = coordinates.expand(batch, -1, -1, -1).flatten(2).split(1, dim=1)
        z = depth.flatten(2)
        one, zero = torch.ones_like(z), torch.zeros_like(z)
        # x and y components of the fields of the eleven parameters, (B, 11, n) each.
        fields_x = torch.cat([one, x, y, z, zero, zero, zero, zero, x * x, x * y, x * z], dim=1)
        fields_y = torch.cat([zero, zero, zero, zero, one, x, y, z, x * y, y * y, y * z], dim=1)
        weighted_x, weighted_y = xx * fields_x + xy * fields_y, xy * fields_x + yy * fields_y
        normal = weighted_x @ fields_x.transpose(1, 2) + weighted_y @ fields_y.transpose(1, 2)
        right = ((xx * u + xy * v + bx) * fields_x + (xy * u + yy * v + by) * fields_y).sum(dim=2, keepdim=True)
        parameters = torch.linalg.solve(normal + torch.diag(normal.new_tensor(RIDGE)), right)  # (B, 11, 1)
        head = torch.cat([(parameters * fields_x).sum(dim=1), (parameters * fields_y).sum(dim=1)], dim=1)
        return head.view(batch, 2, height, width)


def shrink(expression: Tensor, noise: Tensor) -> Tensor:
    """Wiener filter: shrink expression flow to zero where it does not exceed its noise.

    Each vector is multiplied by `s / (s + t)`, where `s` is the mean squared flow around it and `t` the variance of the
    noise, `exp(2 noise) (0.25 px)^2`, which the decoder estimates.
    """
    x, y = expression.split(1, dim=1)
    power = box_filter(x * x + y * y, 5)
    return expression * (power / (power + 0.0625 * torch.exp(2 * noise.clamp(-4, 4))))


def revert_if_worse(initial: Tensor, initial_residual: Tensor, flow: Tensor, residual: Tensor) -> Tensor:
    """Return `flow`, but `initial` where the two are pixels apart and `flow` has the larger residual.

    A network that has never seen such a large motion may treat it as noise, although the frames show it clearly.
    """
    x, y = (initial - flow).split(1, dim=1)
    far = torch.sigmoid(3 * (torch.sqrt(x * x + y * y + 1e-6) - 2))
    before, after = box_filter(initial_residual, 5), box_filter(residual, 5)
    worse = torch.sigmoid(30 * (after / before.clamp_min(1e-6) - 1.2))
    return flow + box_filter(far * worse, 3) * (initial - flow)


def squash(flow: Tensor) -> Tensor:
    """Displacements in a range that suits convolutions: linear far below a pixel, logarithmic far above."""
    return torch.sign(flow) * torch.log1p(4 * flow.abs())


def upsample2(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
