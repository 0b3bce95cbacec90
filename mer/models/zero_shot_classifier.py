"""A classifier without labeled data: small networks trained on rendered micro-expressions alone.

The networks predict the three classes of the composite protocol (negative, positive, surprise) from the pattern of the
motion, regardless of its strength. Hence they accept metric flow on mer's aligned crop as well as published images,
whose channels were stretched separately. `docs/zero_shot.md` describes training data, scores and limitations.

The labels of the training people are not used: :class:`ZeroShot` only checks the class names in `y`. With `adapt`, it
estimates the statistics of batch normalization from `X`, the unlabeled clips of the training people (adaptive batch
normalization: Li et al., "Revisiting batch normalization for practical domain adaptation", ICLR workshop 2017).
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from mer.face.align import face_box
from mer.features import mirror, resize
from mer.utils.torch_setup import one_thread

if TYPE_CHECKING:
    from torch import Tensor, nn

CLASSES = ("negative", "positive", "surprise")
WEIGHTS = Path(__file__).with_name("weights") / "zero_shot.safetensors"
SIDE = 28
WIDTHS = (16, 32, 48)  # filters of the three layers
CROPS = ("auto", "aligned", "box")
_MAX_VALUE = 4.0  # in root mean squares of the channel
_PRIOR_CLIPS = 50  # weight of the original statistics in adaptation, as a number of clips


def normalized_flow(flow: np.ndarray, crop: str = "auto") -> np.ndarray:
    """Input of the networks: flow of the face box, each channel centered and divided by its root mean square.

    Parameters
    ----------
    flow : (H, W, 2)
        In any unit.
    crop : {"auto", "aligned", "box"}
        `aligned`: the crop of :func:`mer.face.align`, from which the face box is cut. `box`: the face box, as in
        published sets. `auto` detects aligned crops by the margins left and right of the face, where their expression
        flow is exactly zero.

    Returns
    -------
    float32 (28, 28, 2)
        Minus the median of each channel, in root mean squares, at most 4 in magnitude.
    """
    field = centered_flow(flow, crop)
    strength = np.sqrt((field**2).mean(axis=(0, 1)))
    return np.clip(field / np.maximum(strength, 1e-9), -_MAX_VALUE, _MAX_VALUE)


def centered_flow(flow: np.ndarray, crop: str = "auto") -> np.ndarray:
    """Flow `(H, W, 2)` in the face box minus the median of each channel, `(28, 28, 2)`, in the unit of the flow; `crop`
    as in :func:`normalized_flow`.
    """
    if crop not in CROPS:
        raise ValueError(f"unknown crop {crop!r}; choose from {', '.join(CROPS)}")
    aligned = crop == "aligned" or (crop == "auto" and has_margins(flow))
    field = face_box(flow, size=SIDE) if aligned else resize(flow, SIDE)
    return field - np.median(field, axis=(0, 1))


def has_margins(flow: np.ndarray) -> bool:
    """Whether flow is zero left and right of the face, as expression flow on the aligned crop."""
    margin = max(1, flow.shape[1] // 14)
    return not (flow[:, :margin].any() or flow[:, -margin:].any()) and bool(flow.any())


class ZeroShot(ClassifierMixin, BaseEstimator):
    """Classifies rows of :func:`normalized_flow`, `(n, 28 * 28 * 2)`.

    Parameters
    ----------
    adapt : bool
        Estimate the statistics of batch normalization from the unlabeled training clips. Otherwise, `fit` learns
        nothing.
    weights : str or Path, optional
        Networks saved by `mer train classifier`. By default, those shipped with mer.
    """

    def __init__(self, adapt: bool = True, weights: str | Path | None = None) -> None:
        self.adapt = adapt
        self.weights = weights

    @property
    def pretrained_file(self) -> str | Path:
        """The weights, whose training data results record."""
        return self.weights or WEIGHTS

    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> ZeroShot:
        """Adapt to the clips `X`. Only the set of class names in `y` is checked."""
        X = validate_data(self, X, dtype=np.float32)
        others = sorted(set(np.unique(y).astype(str)) - set(CLASSES)) if y is not None else []
        if others:
            raise ValueError(
                f"zero-shot predicts {', '.join(CLASSES)}, but the data have {', '.join(others[:3])}; "
                "evaluate under megc2019 or another protocol with these three classes"
            )
        self.classes_ = np.array(CLASSES)
        self.networks_ = [network_from_state(state) for state in load_weights(self.weights or WEIGHTS)]
        if self.adapt:
            with one_thread():
                for network in self.networks_:
                    _adapt(network, _images(X))
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Probability of each class, `(n, 3)`: the geometric mean over networks and both mirror images, normalized."""
        return softmax(self.mean_log_proba(X), axis=1)

    def mean_log_proba(self, X: np.ndarray) -> np.ndarray:
        """Mean logarithms of the probabilities over networks and both mirror images, `(n, 3)`."""
        import torch

        check_is_fitted(self, "networks_")
        images = _images(validate_data(self, X, dtype=np.float32, reset=False))
        with one_thread(), torch.no_grad():
            logarithms = [
                network(view).log_softmax(1).double() for network in self.networks_ for view in (images, mirror(images))
            ]
        return torch.stack(logarithms).mean(0).numpy()

    def predict(self, X: np.ndarray) -> np.ndarray:
        """The most probable class of each row, `(n,)`."""
        return self.classes_[self.mean_log_proba(X).argmax(1)]


def load_without_adaptation(pipeline: Any) -> None:
    """Make a pipeline that ends in :class:`ZeroShot` ready to predict, without any clip to adapt to."""
    pipeline[-1].set_params(adapt=False)
    pipeline.fit(np.zeros((len(CLASSES), SIDE * SIDE * 2), np.float32), np.array(CLASSES))


def build_network(outputs: int = len(CLASSES)) -> nn.Sequential:
    """An untrained network, `(n, 2, 28, 28)` -> `(n, outputs)`; 20,307 parameters for three classes."""
    from torch import nn

    layers: list[nn.Module] = []
    width_in = 2
    for width in WIDTHS:
        layers += [nn.Conv2d(width_in, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(2)]
        width_in = width
    return nn.Sequential(*layers, nn.Flatten(), nn.Dropout(0.5), nn.Linear(width_in * (SIDE // 8) ** 2, outputs))


def load_weights(path: str | Path) -> list[dict[str, Any]]:
    """State of each network in a `.safetensors` file with names `<network>.<layer>.<parameter>`."""
    return _load(str(path), Path(path).stat().st_mtime if Path(path).is_file() else 0.0)


@lru_cache(maxsize=4)
def _load(path: str, _modified: float) -> list[dict[str, Any]]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        tensors = load_file(path)
    except FileNotFoundError:
        raise FileNotFoundError(f"no weights at {path}") from None
    except SafetensorError as error:
        raise ValueError(f"{path} is not a .safetensors file ({error})") from error
    names = sorted({name.partition(".")[0] for name in tensors}, key=lambda name: (len(name), name))
    return [
        {name.partition(".")[2]: value.float() for name, value in tensors.items() if name.startswith(f"{number}.")}
        for number in names
    ]


def network_from_state(state: dict[str, Any]) -> nn.Sequential:
    """The network of one state from :func:`load_weights`, in evaluation mode."""
    last = max(state, key=lambda name: (int(name.partition(".")[0]), name))
    network = build_network(len(state[last]))
    expected = {name: value.shape for name, value in network.state_dict().items() if "num_batches" not in name}
    if expected != {name: value.shape for name, value in state.items()}:
        raise ValueError("names or shapes of the weights differ from those of mer's zero-shot networks")
    network.load_state_dict(state, strict=False)  # without num_batches_tracked, which does not affect predictions
    return network.eval()


def _adapt(network: nn.Sequential, images: Tensor) -> None:
    """Move the statistics of each batch normalization toward those of `images`, layer by layer: each layer sees the
    output of the adapted layers before it.
    """
    import torch
    from torch import nn

    share = len(images) / (len(images) + _PRIOR_CLIPS)
    x = torch.cat([images[::2], mirror(images[1::2])])  # half mirrored, so that the statistics are nearly symmetric
    with torch.no_grad():
        for layer in network:
            if isinstance(layer, nn.BatchNorm2d) and layer.running_mean is not None and layer.running_var is not None:
                layer.running_mean.lerp_(x.mean((0, 2, 3)), share)
                layer.running_var.lerp_(x.var((0, 2, 3)), share)
            if isinstance(layer, nn.Flatten):
                break
            x = layer(x)


def _images(rows: np.ndarray) -> Tensor:
    import torch

    if rows.shape[1] != SIDE * SIDE * 2:
        raise ValueError(f"rows have {rows.shape[1]} values; expected 28 x 28 x 2 from normalized_flow")
    return torch.from_numpy(rows.reshape(-1, SIDE, SIDE, 2)).permute(0, 3, 1, 2).contiguous()
