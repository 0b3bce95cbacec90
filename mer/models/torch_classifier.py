"""A scikit-learn classifier that trains a PyTorch network."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from mer.models.pretraining import take_weights
from mer.utils.torch_setup import one_thread

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    Augment = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]

# Up to this many clips are prepared before training, which takes much more memory than the images; otherwise, each
# batch is prepared when it is used.
_MAX_PREPARED = 2000


def memory_layout(network: nn.Module) -> torch.memory_format:
    """Memory layout of a network for images, and of the images that it is trained on.

    Convolutions on the CPU are fastest with channels last. oneDNN 3.12 (torch 2.13) on AVX2, however, writes past the
    end of a buffer in the backward pass of a strided 1 x 1 convolution of fewer than 8 input channels in that layout,
    which ends in "double free" or a hang. A network with such a convolution gets the contiguous layout.
    """
    import torch

    for layer in network.modules():
        if isinstance(layer, torch.nn.Conv2d):
            strided = max(layer.kernel_size) == 1 and max(layer.stride) > 1
            if strided and layer.in_channels // layer.groups < 8:
                return torch.contiguous_format
    return torch.channels_last


class TorchClassifier(ClassifierMixin, BaseEstimator):
    """Trains a network for a fixed number of epochs on cross-entropy.

    There is no early stopping: selecting the epoch on test people inflates scores by up to 14 points (Varanka et al.,
    IEEE Transactions on Affective Computing 2024).

    Parameters
    ----------
    network : function
        `(channels, size, n_classes) -> torch.nn.Module`. The module maps `(n, channels, size, size)`, or with `frames`
        `(n, channels, frames, size, size)`, to `(n, n_classes)`. If it has a method `prepare(images)`, training passes
        the result of that method instead of the images, so that work common to all epochs is done once.
    channels : int
        Channels of the image in each row of X, channel last: `(n, size * size * channels)`.
    frames : int, optional
        Number of images in each row, in temporal order: `(n, frames * size * size * channels)`.
    epochs, learning_rate, weight_decay, batch_size : number
    shuffle : bool
        Shuffle the clips in each epoch.
    optimizer : {"adam", "adamw", "sgd"}
        Adam (Kingma and Ba, ICLR 2015), AdamW (Loshchilov and Hutter, ICLR 2019), or SGD with `momentum`.
    momentum : float
        Only for `"sgd"`.
    decay, decay_every : float, int
        Multiply the learning rate by `decay` after every `decay_every` epochs.
    balanced : bool
        Weight the loss of each clip by the inverse number of training clips of its class.
    augment : function, optional
        `(images, targets) -> (images, targets)`, applied to each training batch. Targets `(n, n_classes)` are
        probabilities.
    pretrained : str or Path, optional
        Initial weights from :func:`mer.models.pretraining.pretrain`. Results record their training data.
    pretrained_rate : float
        Factor of `learning_rate` for pre-trained weights. At the full rate, the effect of pre-training is lost on a few
        hundred clips (measured in `benchmarks/pretraining.py`).
    device : str
        `"cpu"`, `"cuda"`, ...
    random_state : int, optional
        Seed of initial weights, shuffling and dropout. The same seed gives the same network on the same machine. The
        global random state of torch is left unchanged.

    Attributes
    ----------
    classes_ : (n_classes,)
    network_ : torch.nn.Module
    losses_ : list of float
        Mean training loss of each epoch.
    """

    def __init__(
        self,
        network: Callable[[int, int, int], nn.Module],
        *,
        channels: int = 3,
        frames: int | None = None,
        epochs: int = 100,
        learning_rate: float = 1e-3,
        weight_decay: float = 0.0,
        batch_size: int = 256,
        shuffle: bool = True,
        optimizer: str = "adam",
        momentum: float = 0.0,
        decay: float = 1.0,
        decay_every: int = 1,
        balanced: bool = False,
        augment: Augment | None = None,
        pretrained: str | Path | None = None,
        pretrained_rate: float = 0.1,
        device: str = "cpu",
        random_state: int | None = None,
    ) -> None:
        self.network = network
        self.channels = channels
        self.frames = frames
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.optimizer = optimizer
        self.momentum = momentum
        self.decay = decay
        self.decay_every = decay_every
        self.balanced = balanced
        self.augment = augment
        self.pretrained = pretrained
        self.pretrained_rate = pretrained_rate
        self.device = device
        self.random_state = random_state

    @property
    def pretrained_file(self) -> str | Path | None:
        """The initial weights, whose training data results record."""
        return self.pretrained

    def fit(
        self, X: np.ndarray, y: np.ndarray, watch: Callable[[TorchClassifier, int], None] | None = None
    ) -> TorchClassifier:
        """Train a new network on images `(n, size * size * channels)` and their classes `(n,)`.

        `watch(self, epoch)` is called after each epoch, starting from 1, and may call `predict`. The callback does not
        affect training.
        """
        import torch

        X, y = validate_data(self, X, y, dtype=np.float32)
        check_classification_targets(y)
        self.classes_, target = np.unique(y, return_inverse=True)
        images, labels = self._images(X), torch.from_numpy(target.astype(np.int64)).to(self.device)
        with one_thread(self.random_state):
            # A copy, in case the function returns the same module each time: every fit starts from scratch.
            network = copy.deepcopy(self.network(self.channels, images.shape[-1], len(self.classes_)))
            self.network_ = network.to(self.device)
            loaded: set[str] = set()
            if self.pretrained is not None:
                loaded = take_weights(self.network_, self.pretrained, self.classes_.tolist())
            if self.frames is None:
                layout = memory_layout(self.network_)
                self.network_.to(memory_format=layout)  # type: ignore[call-overload]
                images = images.contiguous(memory_format=layout)
            self.network_.train()
            optimizer = self._optimizer(loaded)
            schedule = torch.optim.lr_scheduler.StepLR(optimizer, self.decay_every, self.decay)
            prepare_once = self.augment is None and len(images) <= _MAX_PREPARED
            prepared = self._prepared(images) if prepare_once else images
            self.losses_ = []
            for epoch in range(1, self.epochs + 1):
                self.losses_.append(self._epoch(prepared, labels, optimizer, prepare_once))
                schedule.step()
                if watch is not None:
                    self.network_.eval()
                    with torch.random.fork_rng(devices=[]):
                        watch(self, epoch)
                    self.network_.train()
        self.network_.eval()
        return self

    def _optimizer(self, loaded: set[str]) -> Any:
        from torch import optim

        rate, decay = self.learning_rate, self.weight_decay
        named = list(self.network_.named_parameters())
        weights: list[dict[str, Any]] = [
            {"params": [value for name, value in named if name not in loaded]},
            {"params": [value for name, value in named if name in loaded], "lr": rate * self.pretrained_rate},
        ]
        weights = [group for group in weights if group["params"]]
        if self.optimizer == "adam":
            return optim.Adam(weights, rate, weight_decay=decay, foreach=True)
        if self.optimizer == "adamw":
            return optim.AdamW(weights, rate, weight_decay=decay, foreach=True)
        if self.optimizer == "sgd":
            return optim.SGD(weights, rate, self.momentum, weight_decay=decay)
        raise ValueError(f"optimizer is {self.optimizer!r}; expected 'adam', 'adamw' or 'sgd'")

    def _prepared(self, images: Tensor) -> Tensor:
        prepare = getattr(self.network_, "prepare", None)
        return images if prepare is None else prepare(images)

    def _epoch(self, images: Tensor, labels: Tensor, optimizer: Any, is_prepared: bool) -> float:
        import torch

        n, n_classes, total = len(images), len(self.classes_), 0.0
        weights = None
        if self.balanced:
            weights = n / (n_classes * torch.bincount(labels, minlength=n_classes).float())
        order = torch.randperm(n).to(self.device) if self.shuffle else None
        for start in range(0, n, self.batch_size):
            rows = slice(start, start + self.batch_size) if order is None else order[start : start + self.batch_size]
            x, target = images[rows], labels[rows]
            if self.augment is not None:
                x, target = self.augment(x, torch.nn.functional.one_hot(target, n_classes).to(x.dtype))
            x = x if is_prepared else self._prepared(x)
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(self.network_(x), target, weights)
            loss.backward()
            optimizer.step()
            total += float(loss.detach()) * len(x)
        return total / n

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Probability of each class, `(n, n_classes)`, in the order of `classes_`."""
        import torch

        check_is_fitted(self, "network_")
        images = self._images(validate_data(self, X, dtype=np.float32, reset=False))
        with one_thread(), torch.no_grad():
            batches = [self.network_(batch).double().softmax(1) for batch in images.split(self.batch_size)]
        return torch.cat(batches).cpu().numpy()

    def predict(self, X: np.ndarray) -> np.ndarray:
        """The most probable class of each row, `(n,)`."""
        probability = self.predict_proba(X)
        return self.classes_[probability.argmax(1)]

    def _images(self, X: np.ndarray) -> Tensor:
        """Rows as `(n, channels, size, size)`, channels last in memory, or as `(n, channels, frames, size, size)`."""
        import torch

        frames = self.frames or 1
        size = int(np.sqrt(X.shape[1] / (self.channels * frames)) + 0.5)
        if size * size * self.channels * frames != X.shape[1]:
            what = "square images" if self.frames is None else f"{frames} square frames"
            raise ValueError(f"rows of {X.shape[1]} values are not {what} of {self.channels} channels")
        images = torch.from_numpy(X.reshape(len(X), frames, size, size, self.channels).copy()).permute(0, 4, 1, 2, 3)
        return (images[:, :, 0] if self.frames is None else images.contiguous()).to(self.device)
