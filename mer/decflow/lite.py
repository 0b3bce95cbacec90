"""DecFlow at a size for laptops and motions below a pixel.

The promise is the paper's: one encoder, a semantic prior, a head and a facial decoder that refine their flows together,
expression = facial - head, trained end to end. What differs follows from the size of the motion. A cost volume on a 1/8
grid has nothing to compare when everything moves by a tenth of a cell, so each step linearizes instead: features of the
second frame are warped by the flow so far, and a weighted least-squares step (Lucas & Kanade, IJCAI 1981, on learned
features) tells both decoders what is left to move and how certain that is. The head decoder says how far each place is
to be trusted; the head flow is the closed-form weighted fit of a rigid head in front of a distant camera, corrected on
a coarse grid. The first field is DIS, which takes care of large motions.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mer.decflow.layers import FlowHead, pixel_grid, warp
from mer.decflow.prior import CHANNELS as PRIOR_CHANNELS

MULTIPLE = 16  # both sides of a frame are multiples of this


@dataclass(frozen=True)
class LiteSizes:
    """Sizes of the lite network, and the parts that can be left out to see what they are worth."""

    features: int = 12  # matched on the 1/2 grid
    stem: int = 32  # channels of the encoder
    context: int = 40
    facial: int = 32  # recurrent state of the facial decoder, on the 1/4 grid
    head: int = 16  # of the head decoder
    motion: int = 32
    iterations: int = 3
    windows: tuple[int, ...] = (3, 9)  # cells of the 1/4 grid that share a least-squares step
    prior: bool = True  # semantic prior


class Features(nn.Module):
    """Frame to features on the 1/2 grid; the first is its brightness, less the surroundings', as it is."""

    def __init__(self, sizes: LiteSizes) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(12, sizes.stem, 3, padding=1)
        self.conv2 = nn.Conv2d(sizes.stem, sizes.stem, 3, padding=1)
        self.conv3 = nn.Conv2d(sizes.stem, sizes.features - 1, 3, padding=1)

    def forward(self, frame: Tensor) -> tuple[Tensor, Tensor]:
        """Features to match `(B, features, H/2, W/2)`, and what they were made from `(B, stem, H/2, W/2)`."""
        x = F.pixel_unshuffle(frame, 2)
        mean = x.mean(dim=(1, 2, 3), keepdim=True)
        x = (x - mean) / (x.std(dim=(1, 2, 3), keepdim=True) + 4)
        gray = x.mean(dim=1, keepdim=True)
        # Fine detail is noise and interpolation, coarse shades are light.
        soft = F.avg_pool2d(gray, 3, stride=1, padding=1, count_include_pad=False)
        local = soft - F.avg_pool2d(gray, 9, stride=1, padding=4, count_include_pad=False)
        rich = F.relu(self.conv2(F.relu(self.conv1(x))))
        return torch.cat([4 * local, self.conv3(rich)], dim=1), rich


class Context(nn.Module):
    """A small U-Net over the first frame and the prior: `(B, inputs, H/4, W/4)` to `(B, outputs, H/4, W/4)`."""

    def __init__(self, inputs: int, width: int, outputs: int) -> None:
        super().__init__()
        self.into = nn.Conv2d(inputs, width, 3, padding=1)
        self.down1 = nn.Conv2d(width, width, 3, stride=2, padding=1)
        self.down2 = nn.Conv2d(width, width, 3, stride=2, padding=1)
        self.deep = nn.Conv2d(width, width, 3, padding=1)
        self.up1 = nn.Conv2d(2 * width, width, 3, padding=1)
        self.up2 = nn.Conv2d(2 * width, width, 3, padding=1)
        self.out = nn.Conv2d(width, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        fine = F.relu(self.into(x))
        half = F.relu(self.down1(fine))
        deep = F.relu(self.deep(F.relu(self.down2(half))))
        half = F.relu(self.up1(torch.cat([half, _double(deep)], dim=1)))
        return self.out(F.relu(self.up2(torch.cat([fine, _double(half)], dim=1))))


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
            [torch.log(t) for xx, _, yy, det in self.tensors for t in (xx + yy, det / (xx + yy))], dim=1
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
        moved = warp(self.second, _double(flow) / 2)
        difference = moved - self.first
        right = torch.cat(
            [(self.dx * difference).sum(dim=1, keepdim=True), (self.dy * difference).sum(dim=1, keepdim=True)], dim=1
        )
        steps = []
        for window, (xx, xy, yy, det) in zip(self.windows, self.tensors):
            bx, by = self._gather(right, window).chunk(2, dim=1)
            steps += [-2 * (yy * bx - xy * by) / det, -2 * (xx * by - xy * bx) / det]  # 2: from the 1/2 grid to pixels
        misfit = F.avg_pool2d(difference.abs().mean(dim=1, keepdim=True), 2)
        return torch.cat(steps, dim=1), misfit, -2 * F.avg_pool2d(right, 2)

    @staticmethod
    def _gather(x: Tensor, window: int) -> Tensor:
        """Means over a window, on the 1/4 grid; two box filters make it rounder than a box."""
        x = F.avg_pool2d(x, 2)
        for _ in range(2):
            x = F.avg_pool2d(x, window, stride=1, padding=window // 2, count_include_pad=False)
        return x


class GRU(nn.Module):
    """Convolutional GRU; what the context adds to its gates is computed once, before the first step."""

    def __init__(self, *, hidden: int, inputs: int, context: int) -> None:
        super().__init__()
        self.gates = nn.Conv2d(hidden + inputs, 2 * hidden, 3, padding=1)
        self.candidate = nn.Conv2d(hidden + inputs, hidden, 3, padding=1)
        self.context = nn.Conv2d(context, 3 * hidden, 1)

    def forward(self, hidden: Tensor, inputs: Tensor, context: Tensor) -> Tensor:
        """`context` is what `self.context` made of the context features."""
        size = hidden.shape[1]
        known = context.split([2 * size, size], dim=1)
        gates = torch.sigmoid(self.gates(torch.cat([hidden, inputs], dim=1)) + known[0])
        update, reset = gates.chunk(2, dim=1)
        candidate = torch.tanh(self.candidate(torch.cat([reset * hidden, inputs], dim=1)) + known[1])
        return (1 - update) * hidden + update * candidate


class MotionEncoder(nn.Module):
    """What is left to move, seen from near and from afar; read by both decoders."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.near = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.far1 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.far2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.join = nn.Conv2d(2 * outputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        near = F.relu(self.near(x))
        far = F.relu(self.far2(F.relu(self.far1(F.avg_pool2d(near, 4)))))
        far = F.interpolate(far, scale_factor=4, mode="bilinear", align_corners=False)
        return F.relu(self.join(torch.cat([near, far], dim=1)))


class LiteDecFlow(nn.Module):
    """The default network of mer."""

    inputs = ("onset", "apex", "prior", "start")

    def __init__(self, sizes: LiteSizes | None = None) -> None:
        super().__init__()
        self.sizes = sizes = sizes or LiteSizes()
        steps = 2 * len(sizes.windows)
        context = sizes.context
        self.features = Features(sizes)
        self.damping = nn.Parameter(torch.full((len(sizes.windows),), -4.0))
        # The stem's view of the first frame, the prior, texture, the first steps and their misfit.
        self.context = Context(
            sizes.stem + PRIOR_CHANNELS + 2 * steps + 1, context, context + sizes.facial + sizes.head
        )
        self.motion = MotionEncoder(2 * steps + 1 + 2 + 2 + PRIOR_CHANNELS, sizes.motion)
        self.facial_gru = GRU(hidden=sizes.facial, inputs=sizes.motion, context=context)
        self.head_gru = GRU(hidden=sizes.head, inputs=sizes.motion, context=context)
        # Gates of the least-squares steps, the level of noise, and a free step.
        self.facial_out = FlowHead(hidden=sizes.facial, width=sizes.facial, outputs=len(sizes.windows) + 1 + 2)
        self.head_out = FlowHead(hidden=sizes.head, width=sizes.head, outputs=2)  # trust, and a change of depth
        self.head_fix = FlowHead(hidden=sizes.head, width=2 * sizes.head)  # on the 1/16 grid
        # Untrained, the network is a classical method: half of each step, no correction, even trust.
        for last in (self.facial_out.conv2, self.head_out.conv2, self.head_fix.conv2, self.features.conv3):
            nn.init.normal_(last.weight, std=1e-3)
            nn.init.constant_(last.bias, 0.0)  # type: ignore[arg-type]

    def forward(
        self,
        onset: Tensor,
        apex: Tensor,
        prior: Tensor,
        start: Tensor,
        iterations: int | None = None,
        *,
        all_iterates: bool = False,
    ) -> list[tuple[Tensor, Tensor]]:
        """Facial and head flow, `(B, 2, H, W)` each, pixels, x first.

        Parameters
        ----------
        onset, apex : Tensor (B, 3, H, W)
            RGB, 0 to 255; sides are multiples of 16.
        prior : Tensor (B, 5, H/4, W/4)
            See :func:`mer.decflow.prior.face_map`.
        start : Tensor (B, 2, H/4, W/4)
            A first facial flow, pixels of the frame.
        iterations : int, optional
            Refinements; `sizes.iterations` where not given.
        all_iterates : bool
            Return every iterate, as the loss needs them; otherwise the last one alone.

        Returns
        -------
        list of (facial, head)
        """
        height, width = onset.shape[-2:]
        if onset.shape != apex.shape or onset.ndim != 4 or height % MULTIPLE or width % MULTIPLE:
            raise ValueError(
                f"frames have shapes {tuple(onset.shape)} and {tuple(apex.shape)}; expected (batch, 3, height, width), "
                f"the same for both, sides multiples of {MULTIPLE}"
            )
        if not self.sizes.prior:
            prior = _position_only(prior)
        matched, rich = self.features(torch.cat([onset, apex]))
        first, second = matched.chunk(2)
        linear = LinearSteps(first, second, windows=self.sizes.windows, damping=F.softplus(self.damping))
        facial = start
        steps, misfit, pull = linear(facial)
        view = F.avg_pool2d(rich[: len(onset)], 2)
        context, facial_state, head_state = self.context(
            torch.cat([view, prior, linear.texture, squash(steps), misfit], dim=1)
        ).split([self.sizes.context, self.sizes.facial, self.sizes.head], dim=1)
        context, facial_state, head_state = torch.relu(context), torch.tanh(facial_state), torch.tanh(head_state)
        facial_context, head_context = self.facial_gru.context(context), self.head_gru.context(context)

        places = _places(facial)
        face = 0.001 + prior[:, 4:]
        head = fit_rigid(facial, linear.info, pull, face, prior[:, 3:4], places)
        count, windows = iterations or self.sizes.iterations, len(self.sizes.windows)
        iterates = []
        for step in range(count):
            if step:
                facial = facial.detach()
                steps, misfit, pull = linear(facial)
            best = facial + steps[:, -2:]  # the widest window's opinion is the least noisy
            motion = self.motion(
                torch.cat(
                    [squash(steps), linear.texture, misfit, squash(facial - head), squash(best - head), prior], dim=1
                )
            )
            head_state = self.head_gru(head_state, motion, head_context)
            trust, depth = self.head_out(head_state).chunk(2, dim=1)
            fix = _smooth(self.head_fix(F.avg_pool2d(head_state, 4)))
            depth = prior[:, 3:4] + 0.3 * depth
            head = fit_rigid(facial, linear.info, pull, torch.sigmoid(trust) * face, depth, places) + fix

            facial_state = self.facial_gru(facial_state, motion, facial_context)
            gates = self.facial_out(facial_state)
            moved = facial
            for n in range(windows):
                moved = moved + torch.sigmoid(gates[:, n : n + 1]) * steps[:, 2 * n : 2 * n + 2] / windows
            facial = head + shrink(moved - head, gates[:, windows : windows + 1]) + gates[:, windows + 1 :]
            if all_iterates or step == count - 1:
                iterates.append((_upsample(facial), _upsample(head)))
        return iterates


def fit_rigid(
    flow: Tensor, info: tuple[Tensor, Tensor, Tensor], pull: Tensor, weight: Tensor, depth: Tensor, places: Tensor
) -> Tensor:
    """The motion of a rigid head that explains the frames best: weighted least squares in closed form, differentiable.

    In front of a distant camera, a rigid motion moves the pixel at `(x, y)` with depth `z` by an affine function of
    `(x, y, z)`: eight numbers for the whole face. They minimize the sum of `weight (g . (head - flow) + d)^2`, where
    `g` and `d` are the gradients and differences of features, linearized at `flow`: an edge says nothing of motion
    along itself, so each cell counts by its structure tensor and not by a single number.

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
    flow, pull, weight, depth = flow.float(), pull.float(), weight.float(), depth.float()
    batch, _, height, width = flow.shape
    basis = torch.cat([torch.ones_like(depth), places.expand(batch, -1, -1, -1), depth], dim=1).flatten(2)  # (B, 4, n)
    xx, xy, yy = (weight * part for part in info)
    scale = (xx + yy).sum(dim=(2, 3), keepdim=True).clamp_min(1e-8)
    u, v = flow.split(1, dim=1)
    bx, by = (weight * pull).split(1, dim=1)

    def moments(field: Tensor) -> Tensor:  # (B, 4, 1)
        return (basis * (field / scale).flatten(2)).sum(dim=2, keepdim=True)

    def products(field: Tensor) -> Tensor:  # (B, 4, 4)
        return (basis * (field / scale).flatten(2)) @ basis.transpose(1, 2)

    with torch.autocast(flow.device.type, enabled=False):
        cross = products(xy)
        normal = torch.cat(
            [torch.cat([products(xx), cross], dim=2), torch.cat([cross, products(yy)], dim=2)], dim=1
        )  # (B, 8, 8)
        right = torch.cat([moments(xx * u + xy * v + bx), moments(xy * u + yy * v + by)], dim=1)
        # Without texture in some direction the head stands still in it.
        ridge = torch.diag(normal.new_tensor([1e-6, 1e-5, 1e-5, 1e-4] * 2))
        numbers = torch.linalg.solve(normal + ridge, right).view(batch, 2, 4)
        return (numbers @ basis).view(batch, 2, height, width)


def shrink(expression: Tensor, gate: Tensor) -> Tensor:
    """Expression flow as far as it stands out of its noise.

    A Wiener filter: each place is multiplied by `s / (s + t)`, where `s` is the mean square of the flow around it and
    `t` that of the noise, which the decoder estimates: `(0.25 px)^2` where `gate` is zero.
    """
    x, y = expression.split(1, dim=1)
    power = F.avg_pool2d(x * x + y * y, 5, stride=1, padding=2, count_include_pad=False)
    return expression * (power / (power + 0.0625 * torch.exp(2 * gate.clamp(-4, 4))))


def squash(flow: Tensor) -> Tensor:
    """Displacements in a range that convolutions like: linear far below a pixel, logarithmic far above."""
    return torch.sign(flow) * torch.log1p(4 * flow.abs())


def _double(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


def _smooth(x: Tensor) -> Tensor:
    """From the 1/16 to the 1/4 grid."""
    return F.interpolate(x, scale_factor=4, mode="bicubic", align_corners=False)


def _upsample(flow: Tensor) -> Tensor:
    return F.interpolate(flow, scale_factor=4, mode="bilinear", align_corners=False)


def _places(like: Tensor) -> Tensor:
    """Cell coordinates `(1, 2, h, w)` from -1 to 1 along the longer side."""
    height, width = like.shape[-2:]
    center = like.new_tensor([(width - 1) / 2, (height - 1) / 2]).view(1, 2, 1, 1)
    return (pixel_grid(like) - center) / (max(height, width) / 2)


def _position_only(prior: Tensor) -> Tensor:
    """The prior without its meaning: position in the frame, no depth, face everywhere."""
    blank = torch.zeros_like(prior)
    blank[:, :2] = _places(prior)
    blank[:, 4] = 1
    return blank
