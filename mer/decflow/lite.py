"""The lite DecFlow network, for laptops and motions below a pixel.

It keeps the structure of the paper: one encoder, a semantic prior, a head decoder and a facial decoder that refine
their flows together, expression = facial - head, trained end to end. It replaces the cost volume, since on a 1/8 grid a
motion of a tenth of a cell leaves nothing to compare. Instead, each step warps the features of the second frame by the
current flow and solves a weighted least-squares problem (Lucas & Kanade, IJCAI 1981, on learned features), which gives
both decoders the remaining motion and its certainty. The head decoder predicts a confidence per cell; the head flow is
the closed-form weighted fit of a rigid head in front of a distant camera, corrected on a coarse grid. The initial
flows are DIS, which handles large motions, and a robust rigid fit to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mer.decflow.layers import pixel_grid
from mer.decflow.least_squares import LucasKanade, fit_rigid, revert_if_worse, shrink, squash, upsample2
from mer.decflow.prior import CHANNELS as PRIOR_CHANNELS

MULTIPLE = 32  # both sides of a frame are multiples of this


@dataclass(frozen=True)
class LiteSizes:
    """Sizes of the lite network, and the parts that an ablation can remove."""

    features: int = 12  # matched on the 1/2 grid
    stem: int = 32  # channels of the encoder
    widths: tuple[int, int, int, int] = (48, 64, 96, 96)  # of the decoders, on the 1/4 to the 1/32 grid
    state: int = 16  # hidden state of the facial decoder
    iterations: int = 2
    windows: tuple[int, ...] = (1, 3, 9)  # widths of the least-squares windows, in cells of the 1/4 grid
    prior: bool = True  # semantic prior


class Features(nn.Module):
    """Features of a frame on the 1/2 grid. The first is not learned: brightness minus that of its surroundings."""

    def __init__(self, sizes: LiteSizes) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(12, sizes.stem, 3, padding=1)
        self.conv2 = nn.Conv2d(sizes.stem, sizes.stem, 3, padding=1)
        self.conv3 = nn.Conv2d(sizes.stem, sizes.features - 1, 3, padding=1)

    def forward(self, frame: Tensor) -> tuple[Tensor, Tensor]:
        """Features to match `(B, features, H/2, W/2)`, and the stem that they come from `(B, stem, H/2, W/2)`."""
        x = F.pixel_unshuffle(frame, 2)
        mean = x.mean(dim=(1, 2, 3), keepdim=True)
        x = (x - mean) / (x.std(dim=(1, 2, 3), keepdim=True) + 4)
        gray = x.mean(dim=1, keepdim=True)
        # A band-pass: fine detail is noise and interpolation, coarse shading is lighting.
        fine = F.avg_pool2d(gray, 3, stride=1, padding=1, count_include_pad=False)
        coarse = F.avg_pool2d(gray, 9, stride=1, padding=4, count_include_pad=False)
        stem = F.relu(self.conv2(F.relu(self.conv1(x))))
        return torch.cat([4 * (fine - coarse), self.conv3(stem)], dim=1), stem


class Update(NamedTuple):
    """Output of the decoders at one step, on the 1/4 grid except for `head_correction`."""

    candidate_logits: Tensor  # (B, 2 windows + 1, h, w), weights of the candidate facial flows
    noise: Tensor  # (B, 1, h, w), logarithm of the noise in the expression flow, see `shrink`
    facial_correction: Tensor  # (B, 2, h, w), pixels
    confidence: Tensor  # (B, 1, h, w), logits: how much a cell counts in the rigid fit
    depth_correction: Tensor  # (B, 1, h, w)
    fit_weight: Tensor  # (B, 1, h, w), logits: how far the head flow moves to the new fit
    head_correction: Tensor  # (B, 2, h/4, w/4), pixels
    hidden_state: Tensor  # (B, state, h, w), of the facial decoder


class Decoders(nn.Module):
    """One step of the head decoder and the facial decoder: a shared downward path, two upward paths.

    The levels are the 1/4, 1/8, 1/16 and 1/32 grids. `known` convolves the context, which does not change between
    steps, and `moving` what does. (Attribute names are keys of weights files.)
    """

    def __init__(self, context: int, motion: int, candidates: int, sizes: LiteSizes) -> None:
        super().__init__()
        w0, w1, w2, w3 = sizes.widths
        state = sizes.state
        self.known = _conv(context, w0)
        self.moving = nn.Conv2d(motion + state, w0, 3, padding=1, bias=False)
        self.down = nn.ModuleList(nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in ((w0, w1), (w1, w2), (w2, w3)))
        self.same = nn.ModuleList(_conv(w, w) for w in (w1, w2, w3))
        self.facial = nn.ModuleList(_conv(a, b) for a, b in ((w3 + w2, w2), (w2 + w1, w1), (w1 + w0, w0)))
        self.facial_out = _conv(w0, candidates + 1 + 2)
        self.facial_state = nn.Conv2d(w0, state, 1)
        self.head = nn.ModuleList(_conv(a, b) for a, b in ((w3 + w2, w2), (w2 + w1, state)))
        self.head_out = _conv(state, 3)
        self.head_fix = _conv(w2, 2)

    def forward(self, context: Tensor, motion_features: Tensor, hidden_state: Tensor) -> Update:
        """Update both flows; `context` is the output of `self.known`."""
        levels = [F.relu(context + self.moving(torch.cat([motion_features, hidden_state], dim=1)))]
        for down, same in zip(self.down, self.same):
            coarse = F.relu(down(levels[-1]))
            levels.append(F.relu(coarse + same(coarse)))
        quarter, eighth, sixteenth, deepest = levels
        head = F.relu(self.head[0](torch.cat([upsample2(deepest), sixteenth], dim=1)))
        head_correction = self.head_fix(head)
        head = F.relu(self.head[1](torch.cat([upsample2(head), eighth], dim=1)))
        confidence, depth_correction, fit_weight = upsample2(self.head_out(head)).split(1, dim=1)
        face = deepest
        for conv, level in zip(self.facial, (sixteenth, eighth, quarter)):
            face = F.relu(conv(torch.cat([upsample2(face), level], dim=1)))
        candidates = self.facial_out.out_channels - 3
        logits, noise, facial_correction = self.facial_out(face).split([candidates, 1, 2], dim=1)
        hidden_state = torch.tanh(self.facial_state(face))
        return Update(
            logits, noise, facial_correction, confidence, depth_correction, fit_weight, head_correction, hidden_state
        )


def _conv(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1)


class LiteDecFlow(nn.Module):
    """The lite network."""

    inputs = ("onset", "apex", "prior", "start")

    def __init__(self, sizes: LiteSizes | None = None) -> None:
        super().__init__()
        self.sizes = sizes = sizes or LiteSizes()
        windows = len(sizes.windows)
        self.features = Features(sizes)
        self.damping = nn.Parameter(torch.full((windows,), -4.0))
        self.decoders = Decoders(
            context=sizes.stem + PRIOR_CHANNELS + 2 * windows,  # stem of the first frame, prior, texture
            motion=2 * (2 * windows + 1) + 4,  # steps and residual from either flow, expression and facial flow
            candidates=2 * windows + 1,  # the current facial flow, and a step per window from either flow
            sizes=sizes,
        )
        # Untrained, the network is a classical method: the mean of the candidates, no correction, equal confidence.
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
            Initial facial and head flow, pixels of the frame; see :func:`mer.decflow.prior.initial_flows`.
        iterations : int, optional
            Refinements; by default `sizes.iterations`.
        all_iterates : bool
            Return every iterate, as the loss needs them, instead of the last one only.

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
        features, stem = self.features(torch.cat([onset, apex]))
        first, second = features.chunk(2)
        lucas_kanade = LucasKanade(first, second, windows=self.sizes.windows, damping=F.softplus(self.damping))
        stem = F.avg_pool2d(stem[: len(onset)], 2)
        context = self.decoders.known(torch.cat([stem, prior, lucas_kanade.texture], dim=1))
        hidden_state = context.new_zeros(len(context), self.sizes.state, *context.shape[-2:])

        coordinates, depth, face = _coordinates(prior), prior[:, 3:4], 0.001 + prior[:, 4:]
        initial, head = start.chunk(2, dim=1)
        facial, initial_residual = initial, None
        count, windows = iterations or self.sizes.iterations, len(self.sizes.windows)
        iterates = []
        for step in range(count):
            facial, head = facial.detach(), head.detach()
            facial_steps, facial_residual, right_side = lucas_kanade(facial)
            initial_residual = facial_residual if initial_residual is None else initial_residual
            # Seen from the head flow, the remaining motion is the expression, which is small.
            head_steps, head_residual, _ = lucas_kanade(head)
            motion_features = [
                squash(facial_steps), facial_residual, squash(head_steps), head_residual,
                squash(facial - head), squash(facial),
            ]  # fmt: skip
            update = self.decoders(context, torch.cat(motion_features, dim=1), hidden_state)
            hidden_state = update.hidden_state

            weight = torch.sigmoid(update.confidence) * face
            depth_now = depth + 0.3 * update.depth_correction
            fit = fit_rigid(facial, lucas_kanade.information, right_side, weight, depth_now, coordinates)
            fit_weight = torch.sigmoid(update.fit_weight.mean(dim=(2, 3), keepdim=True))
            new_head = head + fit_weight * (fit - head) + _upsample(update.head_correction, "bicubic")

            # The new facial flow is a convex combination of the current one and of a step from either flow.
            candidates = [facial]
            for n in range(0, 2 * windows, 2):
                candidates += [facial + facial_steps[:, n : n + 2], head + head_steps[:, n : n + 2]]
            shares = update.candidate_logits.softmax(dim=1).split(1, dim=1)
            combined = sum(share * candidate for share, candidate in zip(shares, candidates))
            facial = new_head + shrink(combined - new_head, update.noise) + update.facial_correction
            head = new_head
            if step == count - 1:
                facial = revert_if_worse(initial, initial_residual, facial, lucas_kanade(facial)[1])
            if all_iterates or step == count - 1:
                iterates.append((_upsample(facial), _upsample(head)))
        return iterates


def _upsample(flow: Tensor, mode: str = "bilinear") -> Tensor:
    return F.interpolate(flow, scale_factor=4, mode=mode, align_corners=False)


def _coordinates(like: Tensor) -> Tensor:
    """Cell coordinates `(1, 2, h, w)` from -1 to 1 along the longer side."""
    height, width = like.shape[-2:]
    center = like.new_tensor([(width - 1) / 2, (height - 1) / 2]).view(1, 2, 1, 1)
    return (pixel_grid(like) - center) / (max(height, width) / 2)


def _position_only(prior: Tensor) -> Tensor:
    """The prior without facial meaning: position in the frame, zero depth, face everywhere."""
    blank = torch.zeros_like(prior)
    blank[:, :2] = _coordinates(prior)
    blank[:, 4] = 1
    return blank
