"""Networks as classifiers, with the settings that were published."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.pipeline import Pipeline

from mer.features import block_hoof, grid_windows, resize, strain
from mer.models.flow_images import flow_image, parts_image
from mer.models.per_clip import PerClip
from mer.models.torch_classifier import TorchClassifier

if TYPE_CHECKING:
    from torch import Tensor, nn


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
    """STSTNet as published; `scaling="metric"` keeps the strength of the motion (:func:`mer.models.flow_images.flow_image`).

    Here and below, further settings are those of :class:`TorchClassifier`, such as `device="cuda"`.
    """
    network = partial(
        TorchClassifier, _ststnet, epochs=epochs, learning_rate=learning_rate, batch_size=batch_size, shuffle=shuffle
    )
    image = PerClip(flow_image, {"size": size, "scaling": scaling})
    return Pipeline([("features", image), ("classifier", network(random_state=random_state, **settings))])


def off_apexnet(
    random_state: int | None = None, *, scaling: str = "minmax", epochs: int = 3000, **settings: Any
) -> Pipeline:
    """OFF-ApexNet: u and v, 28 x 28, in two streams."""
    published = {"learning_rate": 1e-4, "weight_decay": 1e-3, "batch_size": 256}
    image = PerClip(flow_image, {"size": 28, "scaling": scaling, "top": 1.0, "channels": 2})
    return _classifier(image, _off_apexnet, random_state, published | settings, channels=2, epochs=epochs)


def sssnet(random_state: int | None = None, *, scaling: str = "minmax", epochs: int = 200, **settings: Any) -> Pipeline:
    """SSSNet: u, v and strain, 64 x 64."""
    published = {"learning_rate": 1e-4, "weight_decay": 1e-3, "batch_size": 32}
    image = PerClip(flow_image, {"size": 64, "scaling": scaling, "top": 1.0})
    return _classifier(image, _sssnet, random_state, published | settings, epochs=epochs)


def rcn_a(
    random_state: int | None = None, *, scaling: str = "minmax", width: int = 64, epochs: int = 100, **settings: Any
) -> Pipeline:
    """RCN-A: u, v and strain, 60 x 60."""
    published = {"optimizer": "sgd", "learning_rate": 5e-4, "momentum": 0.9, "decay": 0.5, "decay_every": 10}
    image = PerClip(flow_image, {"size": 60, "scaling": scaling, "top": 1.0})
    network = partial(_rcn_a, width=width)
    return _classifier(image, network, random_state, published | {"batch_size": 64} | settings, epochs=epochs)


def dual_inception(
    random_state: int | None = None, *, scaling: str = "minmax", epochs: int = 40, **settings: Any
) -> Pipeline:
    """Dual-Inception: u and v, 28 x 28, in two streams; classes balanced.

    Its authors keep the epoch with the best loss on a fifth of the training people; here, all epochs are run on all of
    them.
    """
    published = {"learning_rate": 1e-4, "batch_size": 3, "balanced": True}
    image = PerClip(flow_image, {"size": 28, "scaling": scaling, "top": 1.0, "channels": 2})
    return _classifier(image, _dual_inception, random_state, published | settings, channels=2, epochs=epochs)


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

    `windows="parts"` lets the tokens of a part of the face look at each other; `"token"` is what its authors' program
    computes, where each looks at itself alone (:class:`mer.models.networks.htnet.HTNet`).
    """
    published = {"learning_rate": 5e-5, "batch_size": 256}
    network = partial(_htnet, windows=windows, widths=widths, heads=heads, blocks=blocks)
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
    """MMNet: one branch for motion, and one for where on the face it is.

    `inputs="frames"` is published: X holds the onset's and the apex's frame, RGB, `(n, 2, size, size, 3)`
    (`mmnet-frames`). `"flow"` takes the flow field for the motion and for the places, for a flow folder without frames.
    """
    published = {"optimizer": "adamw", "learning_rate": 8e-4, "weight_decay": 0.6, "decay": 0.987, "batch_size": 32}
    network = partial(_mmnet, widths=widths)
    if inputs == "frames":
        rows, channels, augment = PerClip(_motion_and_face, frames=2, channels=3), 6, _jitter_frames
    elif inputs == "flow":
        rows, channels, augment = PerClip(flow_image, {"size": size, "scaling": "unit"}), 3, _jitter_flow
    else:
        raise ValueError(f"inputs is {inputs!r}; expected 'flow' or 'frames'")
    rest = published | {"augment": augment} | settings
    return _classifier(rows, network, random_state, rest, channels=channels, epochs=epochs)


def mmnet_frames(random_state: int | None = None, **settings: Any) -> Pipeline:
    """MMNet as published: it sees the onset and the apex, and estimates no flow."""
    return mmnet(random_state, inputs="frames", **settings)


def end_to_end(random_state: int = 0, *, weights: str | None = "decflow", **settings: Any) -> Pipeline:
    """Frames to an emotion through DecFlow, which learns along: :class:`mer.models.end_to_end_classifier.EndToEndClassifier`.

    X holds the onset's and the apex's frame, RGB, `(n, 2, S, S, 3)`, S a multiple of 32; ours.
    """
    from mer.models.end_to_end_classifier import EndToEndClassifier, pair_row  # torch, when it is needed

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
    """R3D-18, a quarter as wide, on clips `(n, frames, H, W)`, gray, or `(n, frames, H, W, channels)`; ours."""
    ours = {"optimizer": "adamw", "learning_rate": 1e-3, "weight_decay": 0.05, "batch_size": 16, "balanced": True}
    clip = PerClip(_standard_clip, frames=frames, channels=channels)
    network = partial(_r3d, width=width)
    return _classifier(clip, network, random_state, ours | settings, channels=channels, frames=frames, epochs=epochs)


def symnet(random_state: int | None = None, *, blocks: int = 7, epochs: int = 40, **settings: Any) -> Pipeline:
    """Windows of the face as tokens, and a face and its mirror image as one; ours, for a few hundred clips."""
    ours = {"optimizer": "adamw", "learning_rate": 5e-4, "weight_decay": 0.05, "batch_size": 64, "balanced": True}
    rest = ours | {"augment": _symnet_augment} | settings
    return _classifier(
        PerClip(symnet_input, {"blocks": blocks}), _symnet, random_state, rest, channels=17, epochs=epochs
    )


def symnet_input(flow: np.ndarray, size: int = 28, blocks: int = 7) -> np.ndarray:
    """What moves in each window of a grid: `(blocks, blocks, 17)` of one clip.

    u and v of the window's 2 x 2 cells, row by row; square roots of an orientation histogram of 8 bins; and the root of
    the mean strain. All of it less the median vector, and in root mean square lengths of the clip's own vectors.
    """
    field = flow_image(flow, size, "unit")[..., :2]
    windows = grid_windows(size, blocks).reshape(blocks**2, -1)
    histograms = block_hoof(field, size, blocks).reshape(blocks, blocks, 8)
    stretched = (windows @ strain(field).ravel() / windows.sum(1)).reshape(blocks, blocks, 1)
    cells = resize(field, 2 * blocks).reshape(blocks, 2, blocks, 2, 2).swapaxes(1, 2).reshape(blocks, blocks, 8)
    return np.dstack([cells, histograms, np.sqrt(stretched)])


def _classifier(
    features: PerClip, network: Any, random_state: int | None, published: dict[str, Any], **settings: Any
) -> Pipeline:
    return Pipeline(
        [
            ("features", features),
            ("classifier", TorchClassifier(network, random_state=random_state, **settings, **published)),
        ]
    )


# The networks are imported where they are made: torch takes long to import.


def _ststnet(channels: int, size: int, n_classes: int) -> nn.Module:
    from mer.models.networks.ststnet import STSTNet

    return STSTNet(channels, size, n_classes)


def _off_apexnet(channels: int, size: int, n_classes: int) -> nn.Module:
    from mer.models.networks.shallow import OffApexNet

    return OffApexNet(channels, size, n_classes)


def _sssnet(channels: int, size: int, n_classes: int) -> nn.Module:
    from mer.models.networks.shallow import sssnet

    return sssnet(channels, size, n_classes)


def _rcn_a(channels: int, size: int, n_classes: int, width: int) -> nn.Module:
    from mer.models.networks.shallow import RCNA

    return RCNA(channels, size, n_classes, width)


def _dual_inception(channels: int, size: int, n_classes: int) -> nn.Module:
    from mer.models.networks.shallow import DualInception

    return DualInception(channels, size, n_classes)


def _htnet(channels: int, size: int, n_classes: int, **options: Any) -> nn.Module:
    from mer.models.networks.htnet import HTNet

    return HTNet(channels, size, n_classes, **options)


def _mmnet(channels: int, size: int, n_classes: int, widths: tuple[int, ...]) -> nn.Module:
    from mer.models.networks.mmnet import MMNet

    return MMNet(channels, size, n_classes, widths)


def _r3d(channels: int, size: int, n_classes: int, width: int) -> nn.Module:
    from mer.models.networks.r3d import r3d

    return r3d(channels, size, n_classes, width)


def _symnet(channels: int, size: int, n_classes: int) -> nn.Module:
    from mer.models.networks.symnet import SymNet

    return SymNet(channels, size, n_classes)


def _symnet_augment(x: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    from mer.models.networks.symnet import augment

    return augment(x, targets)


def _motion_and_face(frames: np.ndarray) -> np.ndarray:
    """MMNet's image `(H, W, 6)` of the onset and the apex `(2, H, W, 3)`, 0..255: what changed, and the onset."""
    onset, apex = frames / 255
    return np.dstack([apex - onset, onset])


def _standard_clip(clip: np.ndarray) -> np.ndarray:
    """A clip as what changes in it, by its standard deviation: less its mean frame, which tells the person's face."""
    change = clip - clip.mean(0)
    return change / max(float(change.std()), 1e-6)


def _jitter_frames(x: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Mirrored, turned by up to 3 degrees and shifted by up to a 28th, as published for MMNet."""
    import torch
    from torch.nn import functional

    n = len(x)
    angle = torch.deg2rad((torch.rand(n, device=x.device) - 0.5) * 6)
    flip = 1.0 - 2.0 * (torch.rand(n, device=x.device) < 0.5)
    shift = (torch.rand(n, 2, device=x.device) - 0.5) * 4 / 28
    turn = [flip * angle.cos(), -flip * angle.sin(), shift[:, 0], angle.sin(), angle.cos(), shift[:, 1]]
    grid = functional.affine_grid(torch.stack(turn, 1).view(n, 2, 3), list(x.shape), align_corners=False)
    return functional.grid_sample(x, grid, padding_mode="border", align_corners=False), targets


def _jitter_flow(x: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Half of the fields mirrored: left and right change places, and u its sign."""
    import torch

    flip = torch.rand(len(x), 1, 1, 1, device=x.device) < 0.5
    sign = x.new_tensor([-1.0, 1.0, 1.0]).view(1, 3, 1, 1)
    return torch.where(flip, x.flip(3) * sign, x), targets
