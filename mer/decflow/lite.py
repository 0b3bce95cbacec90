"""DecFlow at a size for laptops and motions below a pixel.

The promise is the paper's: one encoder, a semantic prior, a head and a facial decoder that refine their flows together,
expression = facial - head, trained end to end. What differs follows from the size of the motion. A cost volume on a 1/8
grid has nothing to compare when everything moves by a tenth of a cell, so each step linearizes instead: features of the
second frame are warped by the flow so far, and a weighted least-squares step (Lucas & Kanade, IJCAI 1981, on learned
features) tells both decoders what is left to move and how certain that is. The head decoder says how far each place is
to be trusted; the head flow is the closed-form weighted fit of a rigid head in front of a distant camera, corrected on
a coarse grid. The first fields
are DIS, which takes care of large motions, and the robust rigid fit to it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mer.decflow.layers import pixel_grid
from mer.decflow.least_squares import LinearSteps, fit_rigid, shrink, squash, stand, upsample2
from mer.decflow.prior import CHANNELS as PRIOR_CHANNELS

MULTIPLE = 32  # both sides of a frame are multiples of this


@dataclass(frozen=True)
class LiteSizes:
    """Sizes of the lite network, and the parts that can be left out to see what they are worth."""

    features: int = 12  # matched on the 1/2 grid
    stem: int = 32  # channels of the encoder
    widths: tuple[int, int, int, int] = (48, 64, 96, 96)  # of the decoders, on the 1/4 to the 1/32 grid
    state: int = 16  # what the facial decoder hands on from step to step
    iterations: int = 2
    windows: tuple[int, ...] = (1, 3, 9)  # cells of the 1/4 grid that share a least-squares step
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


class Decoders(nn.Module):
    """The recurrent step of both decoders: one way down over what is known of the face, two ways up.

    Levels are the 1/4, 1/8, 1/16 and 1/32 grids. What does not change between steps is convolved once.
    """

    def __init__(self, known: int, moving: int, facial: int, sizes: LiteSizes) -> None:
        super().__init__()
        w0, w1, w2, w3 = sizes.widths
        state = sizes.state
        self.known = nn.Conv2d(known, w0, 3, padding=1)
        self.moving = nn.Conv2d(moving + state, w0, 3, padding=1, bias=False)
        self.down = nn.ModuleList(nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in ((w0, w1), (w1, w2), (w2, w3)))
        self.same = nn.ModuleList(nn.Conv2d(w, w, 3, padding=1) for w in (w1, w2, w3))
        self.facial = nn.ModuleList(_conv(a, b) for a, b in ((w3 + w2, w2), (w2 + w1, w1), (w1 + w0, w0)))
        self.facial_out = nn.Conv2d(w0, facial, 3, padding=1)
        self.facial_state = nn.Conv2d(w0, state, 1)
        self.head = nn.ModuleList(_conv(a, b) for a, b in ((w3 + w2, w2), (w2 + w1, state)))
        self.head_out = nn.Conv2d(state, 3, 3, padding=1)  # trust, a change of depth, the way to the fit
        self.head_fix = nn.Conv2d(w2, 2, 3, padding=1)  # on the 1/16 grid

    def forward(self, known: Tensor, moving: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The facial decoder's answer, its next state, the head decoder's answer (all on the 1/4 grid) and correction.

        `known` is what `self.known` made of the face.
        """
        levels = [F.relu(known + self.moving(torch.cat([moving, state], dim=1)))]
        for down, same in zip(self.down, self.same):
            coarse = F.relu(down(levels[-1]))
            levels.append(F.relu(coarse + same(coarse)))
        fine, quarter, eighth, deepest = levels
        head = F.relu(self.head[0](torch.cat([upsample2(deepest), eighth], dim=1)))
        fix = self.head_fix(head)
        head = upsample2(self.head_out(F.relu(self.head[1](torch.cat([upsample2(head), quarter], dim=1)))))
        face = deepest
        for conv, level in zip(self.facial, (eighth, quarter, fine)):
            face = F.relu(conv(torch.cat([upsample2(face), level], dim=1)))
        return self.facial_out(face), torch.tanh(self.facial_state(face)), head, fix


def _conv(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1)


class LiteDecFlow(nn.Module):
    """The default network of mer."""

    inputs = ("onset", "apex", "prior", "start")

    def __init__(self, sizes: LiteSizes | None = None) -> None:
        super().__init__()
        self.sizes = sizes = sizes or LiteSizes()
        windows = len(sizes.windows)
        self.features = Features(sizes)
        self.damping = nn.Parameter(torch.full((windows,), -4.0))
        # What is known: the stem's view of the first frame, the prior, texture. What moves: the steps from both fields
        # and their misfits, the expression so far and the facial flow.
        self.decoders = Decoders(
            sizes.stem + PRIOR_CHANNELS + 2 * windows, 2 * (2 * windows + 1) + 4, 2 * windows + 1 + 1 + 2, sizes
        )
        # Untrained, the network is a classical method: a mean of the candidates, no correction, even trust.
        for last in (self.decoders.facial_out, self.decoders.head_out, self.decoders.head_fix, self.features.conv3):
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
            RGB, 0 to 255; sides are multiples of 32.
        prior : Tensor (B, 5, H/4, W/4)
            See :func:`mer.decflow.prior.face_map`.
        start : Tensor (B, 4, H/4, W/4)
            A first facial and a first head flow, pixels of the frame; see :func:`mer.decflow.prior.initial_flows`.
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
        view = F.avg_pool2d(rich[: len(onset)], 2)
        known = self.decoders.known(torch.cat([view, prior, linear.texture], dim=1))
        state = known.new_zeros(len(known), self.sizes.state, *known.shape[-2:])

        places, face, depth = _places(prior), 0.001 + prior[:, 4:], prior[:, 3:4]
        facial, head = start.chunk(2, dim=1)
        steps, misfit, pull = linear(facial)
        first_misfit = misfit
        count, windows = iterations or self.sizes.iterations, len(self.sizes.windows)
        iterates = []
        for step in range(count):
            if step:
                facial, head = facial.detach(), head.detach()
                steps, misfit, pull = linear(facial)
            # From the head's flow on, what is left is the expression, and small.
            steps_head, misfit_head, _ = linear(head)
            moving = [squash(steps), misfit, squash(steps_head), misfit_head, squash(facial - head), squash(facial)]
            answer, state, trusted, fix = self.decoders(known, torch.cat(moving, dim=1), state)

            # How far each place is to be trusted, how deep it lies, and how far to go from the last head to the fit.
            trust, change, way = trusted.chunk(3, dim=1)
            fit = fit_rigid(facial, linear.info, pull, torch.sigmoid(trust) * face, depth + 0.3 * change, places)
            way = torch.sigmoid(way.mean(dim=(2, 3), keepdim=True))
            moved_head = head + way * (fit - head) + _smooth(fix)

            # The facial flow is one of these, or between them: as it is, or a step on from either field.
            candidates = [facial]
            for n in range(windows):
                candidates += [facial + steps[:, 2 * n : 2 * n + 2], head + steps_head[:, 2 * n : 2 * n + 2]]
            share = answer[:, : len(candidates)].softmax(dim=1)
            moved = sum(share[:, n : n + 1] * field for n, field in enumerate(candidates))
            head = moved_head
            facial = head + shrink(moved - head, answer[:, -3:-2]) + answer[:, -2:]
            if step == count - 1:
                facial = stand(start[:, :2], first_misfit, facial, linear(facial)[1])
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
