"""An end-to-end classifier of two frames: DecFlow, flow features and a classification head, all differentiable.

The parameter `tuned` selects which layers of the flow network are trained with the head: none, the output layers, or
all. As with all classifiers, `mer evaluate --model end-to-end` trains on the training people of each fold only. It
requires a flow folder that also holds the aligned onset and apex (`mer extract-flow --pairs`).
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from torch import Tensor, nn

from mer.decflow.lite import MULTIPLE
from mer.decflow.networks import build, predict
from mer.decflow.prior import CHANNELS, STRIDE, face_map, initial_flows
from mer.face import crop_landmarks, detect_faces
from mer.features import mirror
from mer.utils.torch_setup import one_thread

BATCH = 8  # clips per batch of the flow network without gradients
# Inputs of a flow network for one pair: name -> number of channels, and pixels of the frame per grid cell.
INPUTS = {"onset": (3, 1), "apex": (3, 1), "prior": (CHANNELS, STRIDE), "start": (4, STRIDE)}
_VALUES = sum(channels / cell**2 for channels, cell in INPUTS.values())  # in a row per pixel of the frame

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

    Strain is the norm of the symmetric part of the flow's gradient, `sqrt(ux^2 + vy^2 + (uy + vx)^2 / 2)` (Shreve et
    al., FG 2011), per grid cell.
    """
    small = F.adaptive_avg_pool2d(flow, size)
    padded = F.pad(small, (1, 1, 1, 1), mode="replicate")
    dx = (padded[:, :, 1:-1, 2:] - padded[:, :, 1:-1, :-2]) / 2
    dy = (padded[:, :, 2:, 1:-1] - padded[:, :, :-2, 1:-1]) / 2
    square = dx[:, :1] ** 2 + dy[:, 1:] ** 2 + (dy[:, :1] + dx[:, 1:]) ** 2 / 2
    return torch.cat([small, torch.sqrt(square + 1e-12)], dim=1)


class Head(nn.Module):
    """A small convolutional classifier of flow features `(B, 3, size, size)`.

    The class scores are the mean over a face and its mirror image, which show the same emotion.
    """

    def __init__(self, classes: int, width: int = 24) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, width, 5, padding=2), nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout2d(0.2),
            nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(), nn.AdaptiveAvgPool2d(7),
            nn.Flatten(), nn.Dropout(0.5), nn.Linear(49 * width, classes),
        )  # fmt: skip

    def forward(self, features: Tensor) -> Tensor:
        return (self.layers(features) + self.layers(mirror(features))) / 2


class EmotionNetwork(nn.Module):
    """Frames to class scores.

    Parameters
    ----------
    flow : Module
        A network of :mod:`mer.decflow.networks`.
    head : Module
        Takes `(B, 3, 28, 28)`.
    tuned : {"frozen", "last", "whole"}
        Which layers of the flow network are trained: none, the output layers, or all.
    """

    def __init__(self, flow: nn.Module, head: nn.Module, tuned: str = "last") -> None:
        super().__init__()
        if tuned not in TUNED:
            raise ValueError(f"tuned={tuned!r}; expected {', '.join(TUNED)}")
        self.flow, self.head, self.tuned = flow, head, tuned
        for name, parameter in flow.named_parameters():
            parameter.requires_grad_(tuned == "whole" or (tuned == "last" and name.startswith(_LAST)))
        if tuned != "frozen" and not any(parameter.requires_grad for parameter in flow.parameters()):
            raise ValueError(f"{type(flow).__name__} has no known output layers; use tuned='whole' or 'frozen'")

    def features(self, batch: dict[str, Tensor]) -> Tensor:
        """Flow features in hundredths of the crop's side, so that they are of order one."""
        self.flow.eval()  # a few clips are not enough for batch statistics
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.tuned != "frozen"):
            facial, head = predict(self.flow, batch)[-1]
            return flow_features((facial - head) * (100 / facial.shape[-1]))

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        return self.head(self.features(batch))


class EndToEndClassifier(ClassifierMixin, BaseEstimator):
    """scikit-learn's interface to :class:`EmotionNetwork`.

    The head is trained first, on fixed flow. Unless `tuned` is `frozen`, the flow network is then trained with it for a
    few epochs. Gradients of a random head would distort the pre-trained flow (Kumar et al., "Fine-tuning can distort
    pretrained features and underperform out-of-distribution", ICLR 2022).

    Parameters
    ----------
    tuned : {"frozen", "last", "whole"}
        Which layers of the flow network are trained: none, the output layers, or all.
    network : str
        Name in `mer.decflow.networks.NETWORKS`.
    weights : str or Path, optional
        Weights of the flow network, by name or path. None uses its initial weights, for `lite` a classical method.
    head : function, optional
        Number of classes -> Module that takes `(B, 3, 28, 28)`.
    epochs, tuning_epochs : int
        Epochs of the head alone, and of both together.
    batch, lr, lr_flow : number
        Batch size and learning rates of AdamW for the head and the flow network. During joint training, the head has a
        tenth of `lr`.
    device : str
        `"cpu"`, `"cuda"`, ...
    random_state : int

    Attributes
    ----------
    classes_ : (n_classes,)
    network_ : EmotionNetwork
    """

    def __init__(
        self,
        tuned: str = "last",
        network: str = "lite",
        weights: str | Path | None = None,
        head: Callable[[int], nn.Module] | None = None,
        epochs: int = 60,
        tuning_epochs: int = 5,
        batch: int = 16,
        lr: float = 2e-3,
        lr_flow: float = 1e-4,
        device: str = "cpu",
        random_state: int = 0,
    ) -> None:
        self.tuned, self.network, self.weights, self.head = tuned, network, weights, head
        self.epochs, self.tuning_epochs, self.batch = epochs, tuning_epochs, batch
        self.lr, self.lr_flow, self.device, self.random_state = lr, lr_flow, device, random_state

    @property
    def pretrained_file(self) -> Path | None:
        """The weights of the flow network, whose training data results record."""
        from mer.decflow.weights import find_weights

        return None if self.weights is None else find_weights(self.weights)

    def fit(
        self, X: ArrayLike, y: ArrayLike, watch: Callable[[EndToEndClassifier, int], None] | None = None
    ) -> EndToEndClassifier:
        """Fit to pairs of onset and apex, uint8 RGB `(n, 2, S, S, 3)` or rows of :func:`pair_row`, and labels `(n,)`.

        `watch(self, epoch)` is called after each epoch, starting from 1, and may call `predict`. The callback does not
        affect training.
        """
        rows, labels = as_rows(X), np.asarray(y)
        if labels.shape != (len(rows),):
            raise ValueError(f"{len(rows)} pairs have labels of shape {labels.shape}; expected one label per pair")
        self.classes_, target = np.unique(labels, return_inverse=True)
        self.n_features_in_ = rows.shape[1]
        with one_thread(self.random_state):
            self.network_ = self.new_network().to(self.device)
            self._train(rows, torch.from_numpy(target).to(self.device), watch)
        self.network_.eval()
        return self

    def new_network(self) -> EmotionNetwork:
        """The network before training."""
        if self.weights is None:
            flow = build(self.network)
        else:
            from mer.decflow.weights import load_network

            flow = copy.deepcopy(load_network(self.network, self.weights))
        return EmotionNetwork(flow, (self.head or Head)(len(self.classes_)), self.tuned)

    def _train(
        self, rows: NDArray[np.float32], target: Tensor, watch: Callable[[EndToEndClassifier, int], None] | None
    ) -> None:
        model = self.network_
        counts = torch.bincount(target)
        weight = len(target) / (len(counts) * counts)  # balances the classes
        with torch.no_grad():  # while only the head is trained, the features do not change
            fixed_features = torch.cat([model.features(self._batch(part)) for part in _parts(rows)])
        tuning = self.tuning_epochs if self.tuned != "frozen" else 0
        optimizer = torch.optim.AdamW(model.head.parameters(), lr=self.lr)
        for epoch in range(1, self.epochs + tuning + 1):
            if epoch == self.epochs + 1:
                groups: list[dict[str, Any]] = [{"params": model.head.parameters(), "lr": self.lr / 10}]
                groups.append({"params": [value for value in model.flow.parameters() if value.requires_grad]})
                optimizer = torch.optim.AdamW(groups, lr=self.lr_flow)
            model.train()
            for batch in torch.randperm(len(rows)).split(self.batch):
                head_only = epoch <= self.epochs
                features = fixed_features[batch] if head_only else model.features(self._batch(rows[batch.numpy()]))
                loss = F.cross_entropy(model.head(features), target[batch], weight=weight)
                optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
            if watch is not None:
                model.eval()
                with torch.random.fork_rng(devices=[]):
                    watch(self, epoch)

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Probabilities `(n, classes)`, in the order of `classes_`."""
        self.network_.eval()
        with one_thread(), torch.no_grad():
            scores = [self.network_(self._batch(part)) for part in _parts(as_rows(X))]
        return torch.cat(scores).double().softmax(dim=1).cpu().numpy()

    def predict(self, X: ArrayLike) -> NDArray:
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def _batch(self, rows: NDArray[np.float32]) -> dict[str, Tensor]:
        return {name: value.to(self.device) for name, value in to_batch(rows).items()}


def pair_row(pair: NDArray) -> NDArray[np.float32]:
    """All inputs of a flow network for one aligned pair `(2, S, S, 3)`, RGB 0 to 255, as one row.

    The row concatenates the frames, the semantic prior and the initial flows (:data:`INPUTS`). If no face is detected
    in the onset, its landmarks are those of the mean face on an aligned crop.
    """
    onset, apex = np.ascontiguousarray(pair, np.uint8)
    side = _check_side(onset)
    faces = detect_faces(onset)
    landmarks = faces[0].landmarks if faces else crop_landmarks(side)
    arrays = {
        "onset": onset.transpose(2, 0, 1),
        "apex": apex.transpose(2, 0, 1),
        "prior": face_map(landmarks, (side, side)),
        "start": initial_flows(onset, apex, landmarks),
    }
    return np.concatenate([np.ravel(arrays[name]).astype(np.float32) for name in INPUTS])


def as_rows(X: ArrayLike) -> NDArray[np.float32]:
    """Convert pairs, uint8 `(n, 2, S, S, 3)`, to rows of :func:`pair_row`; rows are returned unchanged.

    Raises
    ------
    ValueError
        For any other shape or type.
    """
    pairs = np.asarray(X)
    if pairs.ndim == 2 and len(pairs) and pairs.dtype == np.float32:
        _side(pairs)
        return pairs
    if pairs.ndim != 5 or pairs.shape[1] != 2 or pairs.shape[4] != 3 or pairs.dtype != np.uint8 or not len(pairs):
        raise ValueError(f"pairs are {pairs.dtype} {pairs.shape}; expected uint8 (n, 2, side, side, 3), n above 0")
    return np.stack([pair_row(pair) for pair in pairs])


def to_batch(rows: NDArray[np.float32]) -> dict[str, Tensor]:
    """Convert rows of :func:`pair_row`, `(n, d)`, to the inputs of a flow network."""
    side, batch, start = _side(rows), {}, 0
    for name, (channels, cell) in INPUTS.items():
        end = start + channels * (side // cell) ** 2
        batch[name] = torch.from_numpy(rows[:, start:end].copy()).view(len(rows), channels, side // cell, side // cell)
        start = end
    return batch


def _side(rows: NDArray) -> int:
    side = round((rows.shape[1] / _VALUES) ** 0.5)
    if side < MULTIPLE or side % MULTIPLE or rows.shape[1] != round(side**2 * _VALUES):
        raise ValueError(f"rows of {rows.shape[1]} values are not rows of pair_row")
    return side


def _check_side(frame: NDArray[np.uint8]) -> int:
    height, width = frame.shape[:2]
    if height != width or height % MULTIPLE:
        raise ValueError(
            f"frames are {height} x {width}; expected squares whose side is a multiple of {MULTIPLE}; "
            "extract again with --size 224"
        )
    return height


def _parts(rows: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    return [rows[start : start + BATCH] for start in range(0, len(rows), BATCH)]
