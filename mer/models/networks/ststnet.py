"""STSTNet, the shallow triple-stream network, with a training step that is three times as fast as the plain one.

Liong, Gan, See, Khor and Huang, "Shallow Triple Stream Three-dimensional CNN (STSTNet) for Micro-expression
Recognition", FG 2019.

The three streams take the same image and differ only in their number of filters, and convolution, batch normalization,
pooling and dropout treat each filter separately. Hence one convolution with 3 + 5 + 8 = 16 filters computes the same
function of the same weights as three parallel ones.

The images are the same in all 800 epochs. Hence the 3 x 3 neighborhoods of the convolution are extracted only once
(:meth:`STSTNet.prepare`), and each epoch consists of a few matrix products (:func:`_first_layer`).
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional

STREAMS = (3, 5, 8)  # filters of the three streams
_CLIPS = 8  # per batch of matrix products, so that intermediate results stay in the cache


class STSTNet(nn.Module):
    """Images `(n, channels, size, size)` -> `(n, n_classes)`; 1,683 parameters for 3 x 28 x 28 and 3 classes.

    In training mode, `forward` takes the output of :meth:`prepare` instead of images.
    """

    def __init__(self, channels: int, size: int, n_classes: int) -> None:
        super().__init__()
        filters = sum(STREAMS)
        self.side = size + 2  # of the convolution's output, which pads by 2: 28 -> 30
        self.pooled = (size + 1) // 3 + 1  # -> 10
        self.convolution = nn.Conv2d(channels, filters, kernel_size=3, padding=2)
        self.norm = nn.BatchNorm2d(filters)
        self.linear = nn.Linear(filters * (self.pooled // 2) ** 2, n_classes)

    def prepare(self, images: Tensor) -> Tensor:
        """The neighborhood of each output pixel of the convolution, and a constant 1: `(n, S, 9 * channels + 1)`.

        Pixels inside pooling windows come first, sorted by their place in the window, so that pooling is a maximum over
        an axis of length 9. The row and the column outside all windows follow; they only count in the normalization.
        Neighborhoods outside the image are all zeros, so that they change no maximum after the ReLU.
        """
        n, m, side = len(images), self.pooled, self.side
        around = functional.unfold(images.contiguous(), 3, padding=2).view(n, -1, side, side).permute(0, 2, 3, 1)
        around = torch.cat([around, torch.ones(n, side, side, 1, device=images.device)], 3)
        reach = max(3 * m, side + 1)
        padded = around.new_zeros(n, reach, reach, around.shape[3])
        padded[:, 1 : side + 1, 1 : side + 1] = around
        windows = padded[:, : 3 * m, : 3 * m].reshape(n, m, 3, m, 3, -1).permute(0, 2, 4, 1, 3, 5).flatten(1, 4)
        rows, columns = around[:, 3 * m - 1 :].flatten(1, 2), around[:, : 3 * m - 1, 3 * m - 1 :].flatten(1, 2)
        prepared = torch.cat([windows, rows, columns], 1)
        # Reading memory takes most of the time; integers from 0 to 255, as published, need a quarter of the bytes.
        small = prepared.to(torch.uint8)
        return small if torch.equal(small.to(prepared.dtype), prepared) else prepared

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            x = self.norm(functional.max_pool2d(self.convolution(x).relu(), 3, stride=3, padding=1))
            return self.linear(functional.avg_pool2d(x, 2).flatten(1))
        filters, bias = self.convolution.parameters()
        weight = torch.cat([filters.flatten(1), bias[:, None]], 1)
        x = _first_layer(x, weight, self.norm, self.side, self.pooled)  # (n, m, m, filters)
        return functional.linear(_drop_half(x).flatten(1), self._unpooled_weight(), self.linear.bias)

    def _unpooled_weight(self) -> Tensor:
        """The last layer's weights `(n_classes, pooled * pooled * filters)` before average pooling of 2 x 2 pixels: one
        matrix product does both.
        """
        half, filters = self.pooled // 2, self.norm.num_features
        weight = self.linear.weight.view(-1, filters, half, half).permute(0, 2, 3, 1) / 4 * 2  # dropout keeps half
        weight = weight.repeat_interleave(2, 1).repeat_interleave(2, 2)
        rest = self.pooled - 2 * half  # an odd last row and column are not pooled
        return functional.pad(weight, (0, 0, 0, rest, 0, rest)).flatten(1)


def _first_layer(prepared: Tensor, weight: Tensor, norm: nn.BatchNorm2d, side: int, pooled: int) -> Tensor:
    """Convolution, ReLU, batch normalization and maximum pooling: `(n, pooled, pooled, filters)`."""
    pixels = len(prepared) * side**2
    out, mean, variance = _FirstLayer.apply(prepared, weight, norm.weight, norm.bias, norm.eps, pooled**2, pixels)
    with torch.no_grad():
        momentum = norm.momentum or 0.0
        norm.running_mean.lerp_(mean, momentum)  # type: ignore[union-attr]
        norm.running_var.lerp_(variance * (pixels / max(pixels - 1, 1)), momentum)  # type: ignore[union-attr]
        norm.num_batches_tracked.add_(1)  # type: ignore[union-attr]
    return out.unflatten(1, (pooled, pooled))


class _FirstLayer(torch.autograd.Function):
    """Pooling before normalization, which is equivalent as long as normalization scales each filter by a positive
    number. The scale starts at one, and the published 1,600 steps of 5e-5 cannot move it below 0.9. The mean and the
    variance still depend on all pixels, and so does the gradient.

    Let z be the output of the ReLU, p the neighborhoods and w the filters. Then `r = sum z p` yields the sum of z,
    since p ends in 1, the sum of its squares, `r . w`, and a part of the gradient of w.
    """

    @staticmethod
    def forward(
        ctx: torch.autograd.function.FunctionCtx,
        prepared: Tensor,
        weight: Tensor,
        scale: Tensor,
        shift: Tensor,
        eps: float,
        windows: int,
        pixels: int,
    ) -> tuple[Tensor, Tensor, Tensor]:
        n, places, values = prepared.shape
        filters, filter_columns = len(weight), weight.t().contiguous()
        z, top = weight.new_empty(_CLIPS, places, filters), weight.new_empty(n, windows, filters)
        r = weight.new_zeros(filters, values)
        for p, maximum in zip(_in_cache(prepared), top.split(_CLIPS)):
            out = z[: len(maximum)]
            flat = out.view(-1, filters)
            torch.mm(p, filter_columns, out=flat).relu_()
            torch.amax(out[:, : 9 * windows].unflatten(1, (9, windows)), 1, out=maximum)
            r.addmm_(flat.t(), p)
        mean = r[:, -1] / pixels
        variance = ((r * weight).sum(1) / pixels - mean**2).clamp(min=0)
        spread = (variance + eps).rsqrt()
        ctx.save_for_backward(prepared, filter_columns, top, r, mean, spread, scale)
        ctx.pixels = pixels  # type: ignore[attr-defined]
        ctx.mark_non_differentiable(mean, variance)
        steep = scale * spread
        return torch.addcmul(shift - mean * steep, top, steep), mean, variance

    @staticmethod
    def backward(ctx, gradient: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[no-untyped-def]
        prepared, filter_columns, top, r, mean, spread, scale = ctx.saved_tensors
        _, places, values = prepared.shape
        _, windows, filters = top.shape
        d_shift = gradient.sum((0, 1))
        d_scale = ((gradient * top).sum((0, 1)) - mean * d_shift) * spread
        # If z > 0, its gradient is (scale spread gradient, at the maximum of a window) + constant + slope z.
        slope = -scale * spread**2 * d_scale / ctx.pixels
        constant = -scale * spread * d_shift / ctx.pixels - slope * mean
        constant = torch.where(constant.abs() < 1e-30, 1e-30, constant)  # a divisor below, multiplied back at the end
        relative = gradient * (scale * spread / constant)
        z, at_maximum = top.new_empty(_CLIPS, places, filters), top.new_empty(_CLIPS, 9, windows, filters)
        m = top.new_zeros(filters, values)
        for p, maximum, share in zip(_in_cache(prepared), top.split(_CLIPS), relative.split(_CLIPS)):
            out, mark = z[: len(maximum)], at_maximum[: len(maximum)]
            flat, pooled = out.view(-1, filters), out[:, : 9 * windows].unflatten(1, (9, windows))
            torch.mm(p, filter_columns, out=flat).relu_()  # recomputed, which is faster than reading it from memory
            torch.eq(pooled, maximum[:, None], out=mark)
            # Equal maxima, as in a flat part of an image, share the gradient. It is zero if z is 0.
            share = share / mark.sum(1) * maximum.sign()
            flat.sign_()  # 1 if z > 0, otherwise 0
            pooled.addcmul_(mark, share[:, None])
            m.addmm_(flat.t(), p)
        d_weight = m * constant[:, None] + r * slope[:, None]
        return None, d_weight, d_scale, d_shift, None, None, None


def _in_cache(prepared: Tensor) -> Iterator[Tensor]:
    """The output of :meth:`STSTNet.prepare`, a few clips at a time, as float32 `(pixels, values)`."""
    values = prepared.shape[2]
    if prepared.dtype == torch.float32:
        yield from (part.reshape(-1, values) for part in prepared.split(_CLIPS))
        return
    buffer = torch.empty(_CLIPS, *prepared.shape[1:], device=prepared.device)
    for part in prepared.split(_CLIPS):
        yield buffer[: len(part)].copy_(part).view(-1, values)


def _drop_half(x: Tensor) -> Tensor:
    """Dropout with rate 1/2, as published, from random bits: five times as fast as one random number per value.

    The result is not yet multiplied by 2.
    """
    words = torch.randint(-(2**63), 2**63 - 1, ((x.numel() + 63) // 64,))
    bits = (words.view(torch.uint8)[:, None] >> torch.arange(8, dtype=torch.uint8)) & 1
    return x * bits.view(-1)[: x.numel()].view(x.shape).to(x.device)
