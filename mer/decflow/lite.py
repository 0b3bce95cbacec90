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

from mer.decflow.layers import FlowHead, pixel_grid
from mer.decflow.linear import LinearSteps, fit_rigid, shrink, squash, upsample2
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
        half = F.relu(self.up1(torch.cat([half, upsample2(deep)], dim=1)))
        return self.out(F.relu(self.up2(torch.cat([fine, upsample2(half)], dim=1))))


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
