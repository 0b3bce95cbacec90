"""Factories of neural networks as classifiers, with their published settings.

Further keyword arguments of each factory are those of :class:`TorchClassifier`, such as `device="cuda"`.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from mer.features import block_hoof, grid_windows, resize, strain
from mer.models import networks
from mer.models.flow_images import flow_image, parts_image
from mer.models.per_clip import PerClip
from mer.models.torch_classifier import TorchClassifier


def ststnet(
    random_state: int | None = None,
    *,
    scaling: str = "minmax",
    size: int = 28,
    epochs: int = 800,
    learning_rate: float = 5e-5,
    batch_size: int = 256,
    shuffle: bool = False,
    **settings: Any,
) -> Pipeline:
    """STSTNet: u, v and strain, 28 x 28.

    `scaling="metric"` preserves the strength of the motion (:func:`mer.models.flow_images.flow_image`).
    """
    published = {"learning_rate": learning_rate, "batch_size": batch_size, "shuffle": shuffle}
    image = PerClip(flow_image, {"size": size, "scaling": scaling})
    return _classifier(image, networks.ststnet.STSTNet, random_state, published | settings, epochs=epochs)


def off_apexnet(
    random_state: int | None = None, *, scaling: str = "minmax", epochs: int = 3000, **settings: Any
) -> Pipeline:
    """OFF-ApexNet: u and v, 28 x 28, in two streams."""
    published = {"learning_rate": 1e-4, "weight_decay": 1e-3, "batch_size": 256}
    image = PerClip(flow_image, {"size": 28, "scaling": scaling, "top": 1.0, "channels": 2})
    network = networks.shallow.OffApexNet
    return _classifier(image, network, random_state, published | settings, channels=2, epochs=epochs)


def sssnet(random_state: int | None = None, *, scaling: str = "minmax", epochs: int = 200, **settings: Any) -> Pipeline:
    """SSSNet: u, v and strain, 64 x 64."""
    published = {"learning_rate": 1e-4, "weight_decay": 1e-3, "batch_size": 32}
    image = PerClip(flow_image, {"size": 64, "scaling": scaling, "top": 1.0})
    return _classifier(image, networks.shallow.sssnet, random_state, published | settings, epochs=epochs)


def rcn_a(
    random_state: int | None = None, *, scaling: str = "minmax", width: int = 64, epochs: int = 100, **settings: Any
) -> Pipeline:
    """RCN-A: u, v and strain, 60 x 60."""
    published = {"optimizer": "sgd", "learning_rate": 5e-4, "momentum": 0.9, "decay": 0.5, "decay_every": 10}
    image = PerClip(flow_image, {"size": 60, "scaling": scaling, "top": 1.0})
    network = partial(networks.shallow.RCNA, width=width)
    return _classifier(image, network, random_state, published | {"batch_size": 64} | settings, epochs=epochs)


def dual_inception(
    random_state: int | None = None, *, scaling: str = "minmax", epochs: int = 40, **settings: Any
) -> Pipeline:
    """Dual-Inception: u and v, 28 x 28, in two streams, with balanced classes.

    The authors select the epoch with the lowest loss on a fifth of the training people. Here, all training people are
    used in all epochs.
    """
    published = {"learning_rate": 1e-4, "batch_size": 3, "balanced": True}
    image = PerClip(flow_image, {"size": 28, "scaling": scaling, "top": 1.0, "channels": 2})
    network = networks.shallow.DualInception
    return _classifier(image, network, random_state, published | settings, channels=2, epochs=epochs)


def htnet(
    random_state: int | None = None,
    *,
    windows: str = "parts",
    scaling: str = "minmax",
    widths: tuple[int, ...] = (256, 512, 1024),
    heads: tuple[int, ...] = (3, 6, 12),
    blocks: tuple[int, ...] = (2, 2, 10),
    epochs: int = 800,
    **settings: Any,
) -> Pipeline:
    """HTNet: u, v and strain around both eyes and both corners of the mouth, 28 x 28.

    `windows="parts"` follows the paper, `windows="token"` the authors' code (:class:`mer.models.networks.htnet.HTNet`).
    """
    published = {"learning_rate": 5e-5, "batch_size": 256}
    network = partial(networks.htnet.HTNet, windows=windows, widths=widths, heads=heads, blocks=blocks)
    image = PerClip(parts_image, {"size": 28, "scaling": scaling})
    return _classifier(image, network, random_state, published | settings, epochs=epochs)


def mmnet(
    random_state: int | None = None,
    *,
    inputs: str = "flow",
    size: int = 224,
    widths: tuple[int, ...] = (128, 128, 256, 512),
    epochs: int = 74,
    **settings: Any,
) -> Pipeline:
    """MMNet: one branch for motion and one for positions on the face.

    With `inputs="frames"`, as published (`mmnet-frames`), X holds the onset and the apex in color,
    `(n, 2, size, size, 3)`. With `inputs="flow"`, both branches take the flow field, so that no frames are needed.
    """
    published = {"optimizer": "adamw", "learning_rate": 8e-4, "weight_decay": 0.6, "decay": 0.987, "batch_size": 32}
    network = partial(networks.mmnet.MMNet, widths=widths)
    if inputs == "frames":
        image, channels = PerClip(_change_and_onset, frames=2, channels=3), 6
        augment = networks.mmnet.jitter_frames
    elif inputs == "flow":
        image, channels = PerClip(flow_image, {"size": size, "scaling": "unit"}), 3
        augment = networks.mmnet.jitter_flow
    else:
        raise ValueError(f"inputs is {inputs!r}; expected 'flow' or 'frames'")
    published["augment"] = augment
    return _classifier(image, network, random_state, published | settings, channels=channels, epochs=epochs)


def mmnet_frames(random_state: int | None = None, **settings: Any) -> Pipeline:
    """MMNet as published, on the onset and the apex; it needs no flow."""
    return mmnet(random_state, inputs="frames", **settings)


def end_to_end(random_state: int = 0, *, weights: str | None = "decflow", **settings: Any) -> Pipeline:
    """DecFlow and a classifier, trained jointly: :class:`mer.models.end_to_end_classifier.EndToEndClassifier`; ours.

    X holds the onset and the apex in color, `(n, 2, S, S, 3)`, with S a multiple of 32.
    """
    from mer.models.end_to_end_classifier import EndToEndClassifier, pair_row  # imports torch

    classifier = EndToEndClassifier(weights=weights, random_state=random_state, **settings)
    return Pipeline([("features", PerClip(pair_row, frames=2, channels=3)), ("classifier", classifier)])


def r3d(
    random_state: int | None = None,
    *,
    frames: int = 16,
    channels: int = 1,
    width: int = 16,
    epochs: int = 30,
    **settings: Any,
) -> Pipeline:
    """R3D-18 at a quarter of its width, on gray clips `(n, frames, H, W)` or `(n, frames, H, W, channels)`.

    The training settings are ours.
    """
    ours = {"optimizer": "adamw", "learning_rate": 1e-3, "weight_decay": 0.05, "batch_size": 16, "balanced": True}
    clip = PerClip(_standardized_change, frames=frames, channels=channels)
    network = partial(networks.r3d.r3d, width=width)
    return _classifier(clip, network, random_state, ours | settings, channels=channels, frames=frames, epochs=epochs)


def symnet(random_state: int | None = None, *, blocks: int = 7, epochs: int = 40, **settings: Any) -> Pipeline:
    """SymNet: windows of the face as tokens, invariant to mirroring; ours, for a few hundred clips."""
    ours = {"optimizer": "adamw", "learning_rate": 5e-4, "weight_decay": 0.05, "batch_size": 64, "balanced": True}
    ours["augment"] = networks.symnet.augment
    windows = PerClip(symnet_input, {"blocks": blocks})
    return _classifier(windows, networks.symnet.SymNet, random_state, ours | settings, channels=17, epochs=epochs)


def symnet_input(flow: np.ndarray, size: int = 28, blocks: int = 7) -> np.ndarray:
    """Motion in each window of a grid, for :func:`symnet`: `(H, W, 2)` to `(blocks, blocks, 17)`.

    The values of a window are u and v of its 2 x 2 cells in row-major order, the square roots of an orientation
    histogram with 8 bins, and the square root of the mean strain. The median vector is subtracted first, and lengths
    are divided by the root mean square of the clip.
    """
    field = flow_image(flow, size, "unit")[..., :2]
    windows = grid_windows(size, blocks).reshape(blocks**2, -1)
    histograms = block_hoof(field, size, blocks).reshape(blocks, blocks, 8)
    mean_strain = (windows @ strain(field).ravel() / windows.sum(1)).reshape(blocks, blocks, 1)
    cells = resize(field, 2 * blocks).reshape(blocks, 2, blocks, 2, 2).swapaxes(1, 2).reshape(blocks, blocks, 8)
    return np.dstack([cells, histograms, np.sqrt(mean_strain)])


def _classifier(
    features: PerClip, network: Any, random_state: int | None, training: dict[str, Any], **settings: Any
) -> Pipeline:
    classifier = TorchClassifier(network, random_state=random_state, **settings, **training)
    return Pipeline([("features", features), ("classifier", classifier)])


def _change_and_onset(frames: np.ndarray) -> np.ndarray:
    """MMNet's image `(H, W, 6)` of the onset and the apex `(2, H, W, 3)`, 0 to 255: apex - onset, then the onset."""
    onset, apex = frames / 255
    return np.dstack([apex - onset, onset])


def _standardized_change(clip: np.ndarray) -> np.ndarray:
    """Deviation of a clip `(frames, H, W, ...)` from its mean frame, which shows identity, at unit variance."""
    change = clip - clip.mean(0)
    return change / max(float(change.std()), 1e-6)
