"""A scikit-learn classifier around a small PyTorch network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

if TYPE_CHECKING:
    from torch import Tensor, nn


class TorchClassifier(ClassifierMixin, BaseEstimator):
    """Trains a network for a fixed number of epochs with Adam and cross-entropy.

    There is no early stopping: which epoch is best cannot be known without looking at test people, and looking lifts
    published scores by up to 14 points (Varanka et al., IEEE Transactions on Affective Computing 2024).

    Parameters
    ----------
    network : function
        `(channels, size, n_classes) -> torch.nn.Module`, which maps `(n, channels, size, size)` to `(n, n_classes)`.
    channels : int
        Channels of the image that each row of X holds, channel last: `(n, size * size * channels)`.
    epochs, learning_rate, weight_decay, batch_size : number
        Of Adam (Kingma and Ba, ICLR 2015).
    shuffle : bool
        A new order of the clips in every epoch. Without it, the batches are cut from the rows as they come.
    random_state : int, optional
        Of the first weights, the order and the dropout. The same number gives the same network on the same machine,
        whatever ran before; torch's own random state is left as it was.

    Attributes
    ----------
    classes_ : (n_classes,)
    network_ : torch.nn.Module
    losses_ : list of float
        Mean loss over the training clips, one value an epoch.
    """

    def __init__(
        self,
        network: Callable[[int, int, int], nn.Module],
        *,
        channels: int = 3,
        epochs: int = 100,
        learning_rate: float = 1e-3,
        weight_decay: float = 0.0,
        batch_size: int = 256,
        shuffle: bool = True,
        random_state: int | None = None,
    ) -> None:
        self.network = network
        self.channels = channels
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.random_state = random_state

    def fit(
        self, X: np.ndarray, y: np.ndarray, watch: Callable[[TorchClassifier, int], None] | None = None
    ) -> TorchClassifier:
        """Train a new network on images `(n, size * size * channels)` and their classes `(n,)`.

        `watch(self, epoch)` is called after each epoch, 1, 2, ...; the classifier can `predict` at that time. What it
        does changes nothing in the training.
        """
        import torch

        X, y = validate_data(self, X, y, dtype=np.float32)
        check_classification_targets(y)
        self.classes_, target = np.unique(y, return_inverse=True)
        images, labels = self._images(X), torch.from_numpy(target.astype(np.int64))
        with _one_thread(self.random_state):
            self.network_ = self.network(self.channels, images.shape[-1], len(self.classes_))
            self.network_.to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
            adam = torch.optim.Adam(
                self.network_.parameters(), lr=self.learning_rate, weight_decay=self.weight_decay, foreach=True
            )
            self.losses_ = []
            for epoch in range(1, self.epochs + 1):
                self.losses_.append(self._epoch(images, labels, adam))
                if watch is not None:
                    self.network_.eval()
                    with torch.random.fork_rng(devices=[]):
                        watch(self, epoch)
                    self.network_.train()
        self.network_.eval()
        return self

    def _epoch(self, images: Tensor, labels: Tensor, adam: Any) -> float:
        import torch

        n, total = len(images), 0.0
        order = torch.randperm(n) if self.shuffle else None
        for start in range(0, n, self.batch_size):
            rows = slice(start, start + self.batch_size) if order is None else order[start : start + self.batch_size]
            adam.zero_grad()
            loss = torch.nn.functional.cross_entropy(self.network_(images[rows]), labels[rows])
            loss.backward()
            adam.step()
            total += float(loss.detach()) * len(labels[rows])
        return total / n

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Probability of each class, `(n, n_classes)`, in the order of `classes_`."""
        import torch

        check_is_fitted(self, "network_")
        images = self._images(validate_data(self, X, dtype=np.float32, reset=False))
        with _one_thread(), torch.no_grad():
            batches = [self.network_(batch).double().softmax(1) for batch in images.split(self.batch_size)]
        return torch.cat(batches).numpy()

    def predict(self, X: np.ndarray) -> np.ndarray:
        """The most probable class of each row, `(n,)`."""
        probability = self.predict_proba(X)
        return self.classes_[probability.argmax(1)]

    def _images(self, X: np.ndarray) -> Tensor:
        """Rows as `(n, channels, size, size)`, channels last in memory, where these convolutions are fastest."""
        import torch

        size = int(np.sqrt(X.shape[1] / self.channels) + 0.5)
        if size * size * self.channels != X.shape[1]:
            raise ValueError(f"rows of {X.shape[1]} values are not square images of {self.channels} channels")
        return torch.from_numpy(X.reshape(len(X), size, size, self.channels).copy()).permute(0, 3, 1, 2)


@contextmanager
def _one_thread(seed: int | None = None) -> Iterator[None]:
    """One thread, for speed on batches this small and for sums that do not depend on the machine's cores; with a seed,
    random numbers of its own.
    """
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[], enabled=seed is not None):
            if seed is not None:
                torch.manual_seed(seed)
            yield
    finally:
        torch.set_num_threads(threads)
