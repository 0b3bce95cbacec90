"""The three-term sequence loss of DecFlow, optionally with masks and a robust penalty."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Loss:
    """Terms of the loss. The defaults are those of the paper (FacialFlowNet, Section 4.3) except for the masks.

    With N iterates, `sum_i gamma^(N - i) (facial |f_i - f| + head |h_i - h| + expression |(f_i - h_i) - (f - h)|)`,
    where `|.|` is a mean over pixels and both directions.
    """

    facial: float = 1.0
    head: float = 0.8
    expression: float = 1.5
    gamma: float = 0.85
    face_mask: bool = True  # pixels outside the face get the weight `background`; in the paper, 1
    background: float = 0.02
    occlusion_mask: bool = True  # pixels that are hidden in the apex do not count
    power: float = 1.0  # 1 in the paper; below 1, subpixel errors weigh more: (|d| + 0.01)^power
    largest: float = 400.0  # pixels; pixels with longer flow do not count

    def __post_init__(self) -> None:
        if not 0 < self.power <= 1:
            raise ValueError(f"power is {self.power}; expected a number above 0 and up to 1")


def sequence_loss(
    iterates: list[tuple[Tensor, Tensor]], batch: dict[str, Tensor], loss: Loss
) -> tuple[Tensor, dict[str, Tensor]]:
    """The loss of all iterates `(facial, head)`, and the endpoint errors in the face of the last one.

    `batch` comes from :func:`mer.decflow.data.pairs.to_tensors`. The errors, in pixels, are `facial`, `head`,
    `expression`, and `none`: the zero-flow baseline of the expression.
    """
    facial, head, mask = batch["facial"], batch["head"], batch["mask"]
    weight = (length(facial) < loss.largest).float()
    if loss.face_mask:
        weight = weight * torch.where(mask > 0, 1.0, loss.background)
    if loss.occlusion_mask:
        weight = weight * batch["visible"]
    # Normalized per pair, so that the loss of a batch is the mean over the parts that several processes hold.
    weight = weight / weight.sum(dim=(1, 2, 3), keepdim=True).clamp_min(1)

    def penalty(estimate: Tensor, truth: Tensor) -> Tensor:
        distance = (estimate - truth).abs()
        if loss.power < 1:
            distance = (distance + 0.01) ** loss.power
        return (weight * distance).sum(dim=(2, 3)).mean()

    total = facial.new_zeros(())
    for n, (f, h) in enumerate(reversed(iterates)):
        terms = loss.facial * penalty(f, facial) + loss.head * penalty(h, head)
        total = total + loss.gamma**n * (terms + loss.expression * penalty(f - h, facial - head))
    with torch.no_grad():
        f, h = iterates[-1]
        face = mask / mask.sum(dim=(1, 2, 3), keepdim=True).clamp_min(1)
        errors = {"facial": f - facial, "head": h - head, "expression": f - h - facial + head, "none": facial - head}
        epe = {name: (face * length(d)).sum(dim=(1, 2, 3)).mean() for name, d in errors.items()}
    return total, epe


def length(flow: Tensor) -> Tensor:
    """Lengths `(B, 1, H, W)` of the vectors of `(B, 2, H, W)`; `Tensor.norm` over two channels is 20 times slower."""
    x, y = flow.split(1, dim=1)
    return torch.sqrt(x * x + y * y)
