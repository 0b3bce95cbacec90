"""A reading without any labeled data: small networks that have seen rendered micro-expressions alone.

They tell the three classes of the composite protocol, negative, positive and surprise, from the form of the motion, not
from its strength; so they read metric flow on mer's aligned crop, and published images whose channels were stretched
one by one, alike. `docs/zero_shot.md` is their card: what they were trained on, what they scored, where they fail.

The labels of the training people are never looked at; :class:`ZeroShot` takes from `y` nothing but the names of the
classes. With `adapt` it takes from `X`, the unlabeled clips of the training people, how such flow is spread: the means
and deviations that the networks standardize by (adaptive batch normalization: Li et al., "Revisiting batch
normalization for practical domain adaptation", ICLR workshop 2017).
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
from mer.features import resize
from mer.utils.torch_setup import one_thread

if TYPE_CHECKING:
    from torch import Tensor, nn

CLASSES = ("negative", "positive", "surprise")
WEIGHTS = Path(__file__).with_name("weights") / "zero_shot.safetensors"
SIDE = 28
WIDTHS = (16, 32, 48)  # filters of the three layers
CROPS = ("auto", "aligned", "box")
_OUTLIER = 4.0  # in root mean squares of the channel
# As many rendered clips as stand for what the networks knew before they saw any of the unlabeled ones.
_TRUST = 50


def form_of_motion(flow: np.ndarray, crop: str = "auto") -> np.ndarray:
    """What the networks see of a clip: its flow in the face box, each channel without its zero and its strength.

    Parameters
    ----------
    flow : (H, W, 2)
        In any unit.
    crop : {"auto", "aligned", "box"}
        `aligned`: the crop of :func:`mer.face.align`, of which the face box is cut out. `box`: `flow` shows the face
        box already, as published sets do. `auto` tells them apart by the margins left and right of the face, where
        expression flow on the aligned crop is exactly zero.

    Returns
    -------
    float32 (28, 28, 2)
        Less the median of each channel, in root mean squares of it, at most 4.
    """
    field = centered_box(flow, crop)
    strength = np.sqrt((field**2).mean(axis=(0, 1)))
    return np.clip(field / np.maximum(strength, 1e-9), -_OUTLIER, _OUTLIER)


def centered_box(flow: np.ndarray, crop: str = "auto") -> np.ndarray:
    """Flow `(H, W, 2)` in the face box, less the median of each channel, in its unit: `(28, 28, 2)`; `crop` as in
    :func:`form_of_motion`.
    """
    if crop not in CROPS:
        raise ValueError(f"no crop {crop!r}; there are {', '.join(CROPS)}")
    aligned = crop == "aligned" or (crop == "auto" and has_margins(flow))
    field = face_box(flow, size=SIDE) if aligned else resize(flow, SIDE)
    return field - np.median(field, axis=(0, 1))


def has_margins(flow: np.ndarray) -> bool:
    """Whether nothing moves left and right of the face, as in expression flow on the aligned crop."""
    margin = max(1, flow.shape[1] // 14)
    return not (flow[:, :margin].any() or flow[:, -margin:].any()) and bool(flow.any())


def form_network(outputs: int = len(CLASSES)) -> nn.Sequential:
    """One of the networks, `(n, 2, 28, 28)` -> `(n, outputs)`; 20,307 parameters for the three classes."""
    from torch import nn

    layers: list[nn.Module] = []
    before = 2
    for width in WIDTHS:
        layers += [nn.Conv2d(before, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(2)]
        before = width
    return nn.Sequential(*layers, nn.Flatten(), nn.Dropout(0.5), nn.Linear(before * (SIDE // 8) ** 2, outputs))


def mirrored(images: Tensor) -> Tensor:
    """Fields `(n, 2, H, W)` of the mirrored faces."""
    import torch

    return images.flip(-1) * torch.tensor([-1.0, 1.0]).view(1, 2, 1, 1)


class ZeroShot(ClassifierMixin, BaseEstimator):
    """Reads rows of :func:`form_of_motion`, `(n, 28 * 28 * 2)`.

    Parameters
    ----------
    adapt : bool
        Standardize by the unlabeled training clips; without, `fit` learns nothing at all.
    weights : str or Path, optional
        Networks that `mer train classifier` saved; those that come with mer by default.
    """

    def __init__(self, adapt: bool = True, weights: str | Path | None = None) -> None:
        self.adapt = adapt
        self.weights = weights

    @property
    def pretrained_file(self) -> str | Path:
        """What it has seen before."""
        return self.weights or WEIGHTS

    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> ZeroShot:
        """Adapt to the clips `X`. Of `y`, the names of the classes are checked, and not who has which."""
        X = validate_data(self, X, dtype=np.float32)
        odd = sorted(set(np.unique(y).astype(str)) - set(CLASSES)) if y is not None else []
        if odd:
            raise ValueError(
                f"zero-shot tells {', '.join(CLASSES)}, and these data have {', '.join(odd[:3])}; "
                "evaluate under megc2019, or another protocol with its classes"
            )
        self.classes_ = np.array(CLASSES)
        self.networks_ = [network_of(state) for state in load_weights(self.weights or WEIGHTS)]
        if self.adapt:
            with one_thread():
                for network in self.networks_:
                    _adapt(network, _images(X))
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Probability of each class, `(n, 3)`: the geometric mean over the networks and over both sides."""
        return softmax(self.log_odds(X), axis=1)

    def log_odds(self, X: np.ndarray) -> np.ndarray:
        """Mean logarithms of the probabilities, `(n, 3)`."""
        import torch

        check_is_fitted(self, "networks_")
        images = _images(validate_data(self, X, dtype=np.float32, reset=False))
        with one_thread(), torch.no_grad():
            answers = [
                network(view).log_softmax(1).double()
                for network in self.networks_
                for view in (images, mirrored(images))
            ]
        return torch.stack(answers).mean(0).numpy()

    def predict(self, X: np.ndarray) -> np.ndarray:
        """The most probable class of each row, `(n,)`."""
        return self.classes_[self.log_odds(X).argmax(1)]


def load_without_adaptation(pipeline: Any) -> None:
    """Make a pipeline that ends in :class:`ZeroShot` ready to predict, without any clip to adapt to."""
    pipeline[-1].set_params(adapt=False)
    pipeline.fit(np.zeros((len(CLASSES), SIDE * SIDE * 2), np.float32), np.array(CLASSES))


def load_weights(path: str | Path) -> list[dict[str, Any]]:
    """The states of the networks in a `.safetensors` file, whose names are `<network>.<layer>.<parameter>`."""
    return _load(str(path), Path(path).stat().st_mtime if Path(path).is_file() else 0.0)


@lru_cache(maxsize=4)
def _load(path: str, _changed: float) -> list[dict[str, Any]]:
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


def network_of(state: dict[str, Any]) -> nn.Sequential:
    """The network of one state of :func:`load_weights`, ready to read."""
    last = max(state, key=lambda name: (int(name.partition(".")[0]), name))
    network = form_network(len(state[last]))
    expected = {name: value.shape for name, value in network.state_dict().items() if "num_batches" not in name}
    if expected != {name: value.shape for name, value in state.items()}:
        raise ValueError("these weights are not of mer's networks for forms of motion; names or shapes differ")
    network.load_state_dict(state, strict=False)  # all but how many batches were seen, which counts for nothing
    return network.eval()


def _adapt(network: nn.Sequential, images: Tensor) -> None:
    """Move the statistics of each batch normalization toward those of `images`, layer by layer, so that each sees what
    the adapted ones before it give.
    """
    import torch
    from torch import nn

    share = len(images) / (len(images) + _TRUST)
    x = torch.cat([images[::2], mirrored(images[1::2])])  # a face and its mirror image are alike often
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
        raise ValueError(f"rows have {rows.shape[1]} values; expected 28 x 28 x 2, as form_of_motion gives them")
    return torch.from_numpy(rows.reshape(-1, SIDE, SIDE, 2)).permute(0, 3, 1, 2).contiguous()
