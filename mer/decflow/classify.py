"""From two frames to an emotion in one differentiable piece: DecFlow, flow features, a classifier head.

The flow network can be held fixed, its output layers can be tuned with the head, or all of it: `tuned`. Fitted inside
the training folds of a protocol, like any other classifier, it sees the training people alone.
"""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from torch import Tensor, nn

from mer.decflow.networks import build, predict
from mer.decflow.pairs import start_flows
from mer.decflow.prior import face_map, standard_landmarks

TUNED = ("frozen", "last", "whole")
_LAST = (
    "decoders.facial_out.",
    "decoders.head_out.",
    "decoders.head_fix.",
    "update_block.flow_head.",
    "update_block_head.flow_head.",
)


def flow_features(flow: Tensor, size: int = 28) -> Tensor:
    """u, v and optical strain on a coarse grid, differentiable: `(B, 2, H, W)` to `(B, 3, size, size)`.

    Strain is the norm of the symmetric part of the flow's gradient, `sqrt(uxx^2 + vyy^2 + (uy + vx)^2 / 2)` (Shreve et
    al., FG 2011), per cell of the grid.
    """
    small = F.adaptive_avg_pool2d(flow, size)
    padded = F.pad(small, (1, 1, 1, 1), mode="replicate")
    dx = (padded[:, :, 1:-1, 2:] - padded[:, :, 1:-1, :-2]) / 2
    dy = (padded[:, :, 2:, 1:-1] - padded[:, :, :-2, 1:-1]) / 2
    square = dx[:, :1] ** 2 + dy[:, 1:] ** 2 + (dy[:, :1] + dx[:, 1:]) ** 2 / 2
    return torch.cat([small, torch.sqrt(square + 1e-12)], dim=1)


class Head(nn.Module):
    """A small convolutional classifier of `(B, 3, size, size)` flow features."""

    def __init__(self, classes: int, width: int = 16) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, width, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(width, width, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(5),
            nn.Flatten(), nn.Dropout(0.3), nn.Linear(25 * width, classes),
        )  # fmt: skip

    def forward(self, features: Tensor) -> Tensor:
        return self.layers(features)


class EmotionNetwork(nn.Module):
    """Frames to class scores.

    Parameters
    ----------
    flow : Module
        A network of :mod:`mer.decflow.networks`.
    head : Module
        Takes `(B, 3, 28, 28)`.
    tuned : {"frozen", "last", "whole"}
        Which part of the flow network follows the labels.
    """

    def __init__(self, flow: nn.Module, head: nn.Module, tuned: str = "last") -> None:
        super().__init__()
        if tuned not in TUNED:
            raise ValueError(f"tuned={tuned!r}; expected {', '.join(TUNED)}")
        self.flow, self.head, self.tuned = flow, head, tuned
        for name, parameter in flow.named_parameters():
            parameter.requires_grad_(tuned == "whole" or (tuned == "last" and name.startswith(_LAST)))

    def features(self, batch: dict[str, Tensor]) -> Tensor:
        """Flow features in hundredths of the crop's side, so that they are of order one."""
        self.flow.eval()  # batch statistics of a few clips are no statistics
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.tuned != "frozen"):
            facial, head = predict(self.flow, batch)[-1]
            return flow_features((facial - head) * (100 / facial.shape[-1]))

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        return self.head(self.features(batch))


class EndToEndClassifier(ClassifierMixin, BaseEstimator):
    """scikit-learn's interface to :class:`EmotionNetwork`.

    Parameters
    ----------
    tuned : {"frozen", "last", "whole"}
        Which part of the flow network follows the labels. With few clips, `whole` forgets what flow is; `last` is a
        compromise.
    network : str
        Name in `mer.decflow.networks.NETWORKS`.
    weights : str or Path, optional
        Of the flow network, by name or path; None leaves it as it is built, which for `lite` is a classical method.
    head : function, optional
        Number of classes -> Module that takes `(B, 3, 28, 28)`.
    epochs, batch, lr, lr_flow
        Of AdamW; the flow network learns more slowly than the head.
    random_state : int
    """

    def __init__(
        self,
        tuned: str = "last",
        network: str = "lite",
        weights: str | None = None,
        head: Callable[[int], nn.Module] | None = None,
        epochs: int = 60,
        batch: int = 16,
        lr: float = 2e-3,
        lr_flow: float = 1e-4,
        random_state: int = 0,
    ) -> None:
        self.tuned, self.network, self.weights, self.head = tuned, network, weights, head
        self.epochs, self.batch, self.lr, self.lr_flow, self.random_state = epochs, batch, lr, lr_flow, random_state

    def fit(self, X: ArrayLike, y: ArrayLike) -> EndToEndClassifier:
        """Fit to aligned onset and apex crops, uint8 RGB `(n, 2, H, W, 3)`, sides multiples of 32; labels `(n,)`."""
        pairs, labels = check_pairs(X), np.asarray(y)
        self.classes_, target = np.unique(labels, return_inverse=True)
        with torch.random.fork_rng():
            torch.manual_seed(self.random_state)
            flow = build(self.network)
            if self.weights is not None:
                from mer.decflow.weights import load_network

                flow = copy.deepcopy(load_network(self.network, self.weights))
            head = (self.head or Head)(len(self.classes_))
            self.model_ = EmotionNetwork(flow, head, self.tuned)
            self._train([to_batch(pair) for pair in pairs], torch.from_numpy(target))
        return self

    def _train(self, pairs: list[dict[str, Tensor]], target: Tensor) -> None:
        model = self.model_
        groups = [{"params": model.head.parameters(), "lr": self.lr}]
        tuned = [parameter for parameter in model.flow.parameters() if parameter.requires_grad]
        if tuned:
            groups.append({"params": tuned, "lr": self.lr_flow})
        optimizer = torch.optim.AdamW(groups)
        counts = torch.bincount(target)
        weight = len(target) / (len(counts) * counts)  # classes are seldom balanced
        known = None
        if model.tuned == "frozen":  # the features stay what they are
            with torch.no_grad():
                known = torch.cat([model.features(_stack([pair])) for pair in pairs])
        generator = torch.Generator().manual_seed(self.random_state)
        for _ in range(self.epochs):
            for rows in torch.randperm(len(pairs), generator=generator).split(self.batch):
                model.train()
                features = known[rows] if known is not None else model.features(_stack([pairs[n] for n in rows]))
                loss = F.cross_entropy(model.head(features), target[rows], weight=weight)
                optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Probabilities `(n, classes)`, in the order of `classes_`."""
        self.model_.eval()
        with torch.inference_mode():
            scores = [self.model_(_stack([to_batch(pair)])) for pair in check_pairs(X)]
        return torch.cat(scores).double().softmax(dim=1).numpy()

    def predict(self, X: ArrayLike) -> NDArray:
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


def check_pairs(X: ArrayLike) -> NDArray[np.uint8]:
    """`X` as uint8 `(n, 2, H, W, 3)`; `ValueError` for anything else."""
    pairs = np.asarray(X)
    if pairs.ndim != 5 or pairs.shape[1] != 2 or pairs.shape[4] != 3 or pairs.dtype != np.uint8 or not len(pairs):
        raise ValueError(f"pairs are {pairs.dtype} {pairs.shape}; expected uint8 (n, 2, height, width, 3), n above 0")
    if pairs.shape[2] % 32 or pairs.shape[3] % 32:
        raise ValueError(f"frames are {pairs.shape[2]} x {pairs.shape[3]}; both sides must be multiples of 32")
    return pairs


def to_batch(pair: NDArray[np.uint8]) -> dict[str, Tensor]:
    """What a flow network reads of one aligned pair `(2, H, W, 3)`; the mean face stands for the person's."""
    onset, apex = pair
    shape = (onset.shape[0], onset.shape[1])
    landmarks = standard_landmarks(shape)
    arrays = {
        "onset": onset.transpose(2, 0, 1),
        "apex": apex.transpose(2, 0, 1),
        "prior": face_map(landmarks, shape),
        "start": start_flows(onset, apex, landmarks),
    }
    return {name: torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32)) for name, array in arrays.items()}


def _stack(pairs: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    return {name: torch.stack([pair[name] for pair in pairs]) for name in pairs[0]}
