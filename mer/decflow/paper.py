"""The published DecFlow network (Lu, He, Zhou, Tan, Yan, "FacialFlowNet", ACM MM 2024), written from its description.

GMA (Jiang et al., ICCV 2021) with a semantic prior and two decoders: one encoder, one correlation volume, one
attention; a facial and a head decoder that start from the same context and refine their own flow. Parameters have the
names of the authors' checkpoint. Two parts are unused but kept, so that every key of a checkpoint fits: the third stage
of the ResNet-50, and the position embedding of the attention.
"""

from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mer.decflow.layers import Correlation, Encoder, FlowHead, SeparableGRU, convex_upsample, pixel_grid

SMALLEST = 128  # pixels; below, the coarsest level of the correlation is one pixel wide and cannot be interpolated


HIDDEN = 128  # channels of the recurrent state, and as many of the context
LEVELS, RADIUS = 4, 4  # of the correlation pyramid and its window


class ConvBlock(nn.Module):
    """Convolution and batch normalization, without activation."""

    def __init__(self, inputs: int, outputs: int, kernel: int, *, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=kernel // 2, bias=False)
        self.bn = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.bn(self.conv(x))


class Bottleneck(nn.Module):
    """ResNet-50's unit (He et al., CVPR 2016), with the stride in its first convolution."""

    def __init__(self, inputs: int, outputs: int, *, stride: int) -> None:
        super().__init__()
        middle = outputs // 4
        first, second = ConvBlock(inputs, middle, 1, stride=stride), ConvBlock(middle, middle, 3)
        self.body = nn.ModuleDict({"conv1": first, "conv2": second, "conv3": ConvBlock(middle, outputs, 1)})
        self.identity_conv = ConvBlock(inputs, outputs, 1, stride=stride) if inputs != outputs else None

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.body["conv1"](x))
        y = F.relu(self.body["conv2"](y))
        return F.relu(self.body["conv3"](y) + (x if self.identity_conv is None else self.identity_conv(x)))


def _stage(inputs: int, outputs: int, units: int, *, stride: int) -> nn.Sequential:
    blocks = [Bottleneck(inputs, outputs, stride=stride)]
    blocks += [Bottleneck(outputs, outputs, stride=1) for _ in range(units - 1)]
    return nn.Sequential(OrderedDict((f"unit{n + 1}", block) for n, block in enumerate(blocks)))


class Stem(nn.Module):
    """ResNet-50's first layers."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = ConvBlock(3, 64, 7, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return F.max_pool2d(F.relu(self.conv(x)), 3, stride=2, padding=1)


class SemanticEncoder(nn.Module):
    """ResNet-50 up to its second stage: `(B, 3, H, W)` to `(B, 512, H/8, W/8)`; the third stage never runs."""

    def __init__(self) -> None:
        super().__init__()
        self.model = nn.Sequential(
            Stem(), _stage(64, 256, 3, stride=1), _stage(256, 512, 4, stride=2), _stage(512, 1024, 6, stride=2)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.model[:3](x)


class Fusion(nn.Module):
    """Residual block that merges context and semantic features."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.adjustment = nn.Sequential(nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(y)) + self.adjustment(x))


class PositionEmbedding(nn.Module):
    """GMA's relative positions, unused: the published attention depends on content only."""

    rel_ind: Tensor

    def __init__(self, size: int, channels: int) -> None:
        super().__init__()
        self.rel_height = nn.Embedding(2 * size - 1, channels)
        self.rel_width = nn.Embedding(2 * size - 1, channels)
        index = torch.arange(size)
        self.register_buffer("rel_ind", index[None] - index[:, None] + size - 1)


class Attention(nn.Module):
    """Similarity between the pixels of the first frame: `(B, C, H, W)` to `(B, HW, HW)`."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.to_qk = nn.Conv2d(channels, 2 * channels, 1, bias=False)
        self.pos_emb = PositionEmbedding(160, channels)
        self.scale = channels**-0.5

    def forward(self, context: Tensor) -> Tensor:
        query, key = self.to_qk(context).flatten(2).chunk(2, dim=1)
        return torch.einsum("bcn,bcm->bnm", self.scale * query, key).softmax(dim=-1)


class Aggregator(nn.Module):
    """Motion features aggregated by the attention (GMA, Equation 4)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.to_v = nn.Conv2d(channels, channels, 1, bias=False)
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, attention: Tensor, motion: Tensor) -> Tensor:
        gathered = torch.einsum("bnm,bcm->bcn", attention, self.to_v(motion).flatten(2))
        return motion + self.gamma * gathered.view_as(motion)


class MotionEncoder(nn.Module):
    """Correlations and the current flow to 128 motion features, the last two of which are the flow."""

    def __init__(self, correlations: int) -> None:
        super().__init__()
        self.convc1 = nn.Conv2d(correlations, 256, 1)
        self.convc2 = nn.Conv2d(256, 192, 3, padding=1)
        self.convf1 = nn.Conv2d(2, 128, 7, padding=3)
        self.convf2 = nn.Conv2d(128, 64, 3, padding=1)
        self.conv = nn.Conv2d(192 + 64, 126, 3, padding=1)

    def forward(self, flow: Tensor, correlation: Tensor) -> Tensor:
        correlation = F.relu(self.convc2(F.relu(self.convc1(correlation))))
        motion = F.relu(self.convf2(F.relu(self.convf1(flow))))
        return torch.cat([F.relu(self.conv(torch.cat([correlation, motion], dim=1))), flow], dim=1)


class UpdateBlock(nn.Module):
    """One decoder: a recurrent unit that turns correlations into updates of the flow."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = MotionEncoder(LEVELS * (2 * RADIUS + 1) ** 2)
        self.gru = SeparableGRU(hidden=HIDDEN, inputs=3 * HIDDEN)
        self.flow_head = FlowHead(hidden=HIDDEN, width=256)
        self.mask = nn.Sequential(nn.Conv2d(HIDDEN, 256, 3, padding=1), nn.ReLU(), nn.Conv2d(256, 64 * 9, 1))
        self.aggregator = Aggregator(HIDDEN)

    def forward(
        self, hidden: Tensor, context: Tensor, correlation: Tensor, flow: Tensor, attention: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The next hidden state, and the update of the flow on the 1/8 grid."""
        motion = self.encoder(flow, correlation)
        hidden = self.gru(hidden, torch.cat([context, motion, self.aggregator(attention, motion)], dim=1))
        return hidden, self.flow_head(hidden)

    def upsample(self, flow: Tensor, hidden: Tensor) -> Tensor:
        """Flow at full resolution. The factor 0.25 balances the gradients of the two heads, as in RAFT."""
        return convex_upsample(flow, 0.25 * self.mask(hidden), factor=8)


class PaperDecFlow(nn.Module):
    """The published network: 20,085,442 parameters, of which 7,098,368 in the ResNet stage that never runs."""

    inputs = ("onset", "apex")

    def __init__(self) -> None:
        super().__init__()
        context = 2 * HIDDEN
        self.fnet = Encoder(256, nn.InstanceNorm2d)
        self.cnet = Encoder(context, nn.BatchNorm2d)
        self.update_block_head = UpdateBlock()
        self.update_block = UpdateBlock()
        self.att = Attention(HIDDEN)
        self.dad_encoder = SemanticEncoder()
        self.change_dim = nn.Conv2d(512, context, 1)
        self.res1 = Fusion(2 * context, context)

    def forward(
        self, onset: Tensor, apex: Tensor, iterations: int | None = None, *, all_iterates: bool = False
    ) -> list[tuple[Tensor, Tensor]]:
        """Facial and head flow, `(B, 2, H, W)` each, pixels, x first, of the last iterate or, for the loss, of all.

        Frames are `(B, 3, H, W)`, RGB, 0 to 255. By default there are 12 refinements, as in training.
        """
        _check_frames(onset, apex)
        first, second = onset / 127.5 - 1, apex / 127.5 - 1
        features = self.fnet(torch.cat([first, second]))
        correlation = Correlation(*features.chunk(2), levels=LEVELS, radius=RADIUS)
        semantic = self.change_dim(self.dad_encoder(first))
        state, context = self.res1(torch.cat([self.cnet(first), semantic], dim=1)).chunk(2, dim=1)
        state, context = torch.tanh(state), torch.relu(context)
        attention = self.att(context)

        grid = pixel_grid(state)
        zero = torch.zeros_like(grid).expand(len(onset), -1, -1, -1)
        decoders, hidden, flows = (self.update_block, self.update_block_head), [state, state], [zero, zero]
        count = iterations or 12
        iterates = []
        for step in range(count):
            for n, decoder in enumerate(decoders):
                flow = flows[n].detach()
                hidden[n], update = decoder(hidden[n], context, correlation(grid + flow), flow, attention)
                flows[n] = flow + update
            if all_iterates or step == count - 1:
                facial, head = (decoder.upsample(f, h) for decoder, f, h in zip(decoders, flows, hidden))
                iterates.append((facial, head))
        return iterates


def _check_frames(onset: Tensor, apex: Tensor) -> None:
    if onset.shape != apex.shape or onset.ndim != 4 or onset.shape[1] != 3:
        raise ValueError(
            f"frames have shapes {tuple(onset.shape)} and {tuple(apex.shape)}; expected (batch, 3, height, width), "
            "the same for both"
        )
    height, width = onset.shape[-2:]
    if height % 8 or width % 8 or min(height, width) < SMALLEST:
        raise ValueError(f"frames are {height} x {width}; both sides must be multiples of 8 and at least {SMALLEST}")
