"""Flow methods by name, and the one function that runs them: `estimate_flow`.

A method is any function `(onset, apex) -> (H, W, 2) or Flow`: frames uint8 `(H, W, 3)` RGB, flow in pixels from onset
to apex on the onset's grid, x first. If it has parameters named `landmarks` or `device`, it is given those too. To add
one, write the function and enter it here; to try one, pass the function wherever a name can stand.
"""

from __future__ import annotations

import hashlib
import inspect
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mer.face import face_mask, mean_landmarks
from mer.flow.classical import dis, farneback, require_tvl1, tvl1
from mer.flow.field import Field, Flow, check_field
from mer.flow.files import COMPONENTS
from mer.flow.raft import find_weights, raft_large, raft_small
from mer.flow.rigid_head import check_landmarks, fit_head_flow

Method = str | Callable[..., Any]  # a name in METHODS, or a function


def decflow(
    onset: NDArray[np.uint8],
    apex: NDArray[np.uint8],
    *,
    landmarks: NDArray[np.float32] | None = None,
    device: str = "auto",
) -> Flow:
    """The lite DecFlow network with the weights that come with the package; see :func:`mer.decflow.methods.decflow`."""
    from mer.decflow.methods import decflow as run  # torch, when it is needed

    return run(onset, apex, landmarks=landmarks, device=device)


def decflow_paper(
    onset: NDArray[np.uint8],
    apex: NDArray[np.uint8],
    *,
    landmarks: NDArray[np.float32] | None = None,
    device: str = "auto",
) -> Flow:
    """The published DecFlow network, with the authors' weights; see :func:`mer.decflow.methods.decflow_paper`."""
    from mer.decflow.methods import decflow_paper as run  # torch, when it is needed

    return run(onset, apex, landmarks=landmarks, device=device)


METHODS: dict[str, Callable[..., Any]] = {
    "decflow": decflow,
    "dis": dis,
    "tvl1": tvl1,
    "farneback": farneback,
    "raft-small": raft_small,
    "raft-large": raft_large,
    "decflow-paper": decflow_paper,
}

# The smallest facial, head and expression error on people that it has not seen (benchmarks/flow.py).
DEFAULT_METHOD = "decflow"

SMALLEST = 32  # pixels


def estimate_flow(
    onset: np.ndarray,
    apex: np.ndarray,
    method: Method = DEFAULT_METHOD,
    *,
    landmarks: np.ndarray | None = None,
    device: str = "auto",
) -> Flow:
    """Facial, head and expression flow from onset to apex.

    Parameters
    ----------
    onset, apex : uint8 (H, W, 3)
        RGB, aligned face crops; (H, W) is taken as gray.
    method : str or function
        A name in :data:`METHODS`, or a function `(onset, apex) -> (H, W, 2) or Flow`. A single field is the facial
        flow; :func:`mer.flow.fit_head_flow` finds the head's part in it.
    landmarks : (478, 3), optional
        The onset's face-mesh points, pixels. Where not given, they are detected in the onset; where no face is found,
        the mean face stands in at the place where alignment puts it, with a warning.
    device : str
        `auto`, `cpu` or `cuda`, for methods that are networks.

    Returns
    -------
    Flow

    Raises
    ------
    ValueError
        For frames that are no images of one size, an unknown method, or a method whose result is not finite or of
        another shape.

    Examples
    --------
    >>> import numpy as np
    >>> onset = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    >>> flow = estimate_flow(onset, onset, lambda onset, apex: np.zeros((64, 64, 2)), landmarks=crop_landmarks(64))
    >>> flow.expression.shape, flow.expression.dtype
    ((64, 64, 2), dtype('float32'))
    """
    function, name = _function(method), method_name(method)
    onset, apex = _as_rgb(onset, "onset"), _as_rgb(apex, "apex")
    if onset.shape != apex.shape:
        raise ValueError(f"onset and apex differ in size: {onset.shape[:2]} and {apex.shape[:2]}")
    shape = onset.shape[:2]
    if landmarks is not None:
        landmarks = check_landmarks(landmarks).astype(np.float32)
    asked = _parameters(function)
    if landmarks is None and "landmarks" in asked:
        landmarks = _find_landmarks(onset)
    given = {"landmarks": landmarks, "device": device}
    result = function(onset, apex, **{key: value for key, value in given.items() if key in asked})
    if isinstance(result, Flow):
        return _check_flow(result, shape, name)
    facial = _check_result(result, shape, f"the flow by {name}")
    if landmarks is None:
        landmarks = _find_landmarks(onset)
    mask = face_mask(landmarks, shape)
    return Flow.split(facial, fit_head_flow(facial, landmarks, mask), mask)


def method_name(method: Method) -> str:
    """The name under which a method's results are kept: its own, or the function's, as `module.function`."""
    if isinstance(method, str):
        return method
    named = method if hasattr(method, "__qualname__") else type(method)
    return f"{named.__module__}.{named.__qualname__}"


def check_method(method: Method) -> None:
    """Raise what using the method would raise for want of a library or weights, before any work is done with it.

    Weights are fetched here where the user has asked for that; see :mod:`mer.flow.raft`.

    Raises
    ------
    ValueError, OSError, ImportError
        An unknown name, weights that are not there, a library that is not installed; each says what to do.
    """
    _function(method)
    if method == "tvl1":
        require_tvl1()
    _weights(method, download=None)


def method_status(name: str) -> str:
    """Why the method can't be used as things stand, or an empty text; nothing is fetched."""
    try:
        _function(name)
        if name == "tvl1":
            require_tvl1()
        _weights(name, download=False)
    except (ValueError, OSError, ImportError) as error:
        return str(error)
    return ""


def describe_method(method: Method) -> dict[str, str | None]:
    """What a record of results has to say of a method: `method`, `weights` (a file's name) and `weights_sha256`."""
    path = _weights(method, download=None)
    digest = hashlib.sha256(path.read_bytes()).hexdigest() if path else None
    return {"method": method_name(method), "weights": path.name if path else None, "weights_sha256": digest}


def _function(method: Method) -> Callable[..., Any]:
    if callable(method):
        return method
    if method not in METHODS:
        raise ValueError(f"no flow method {method!r}; there are {', '.join(METHODS)}, or pass a function")
    return METHODS[method]


def _weights(method: Method, download: bool | None) -> Path | None:
    """The file of a method's weights, if it has any."""
    if method in ("raft-small", "raft-large"):
        return find_weights(str(method).removeprefix("raft-"), download)
    if method in ("decflow", "decflow-paper"):
        from mer.decflow import weights

        return weights.find_weights(str(method))
    return None


def _parameters(function: Callable[..., Any]) -> set[str]:
    try:
        return set(inspect.signature(function).parameters)
    except (ValueError, TypeError):  # a function written in C may not say
        return set()


def _as_rgb(image: np.ndarray, name: str) -> NDArray[np.uint8]:
    image = np.asarray(image)
    if image.dtype != np.uint8 or image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] != 3):
        raise ValueError(f"{name} is {image.dtype} {image.shape}; expected a uint8 image (height, width, 3), RGB")
    if min(image.shape[:2]) < SMALLEST:
        raise ValueError(f"{name} is {image.shape[1]} x {image.shape[0]} pixels; expected {SMALLEST} or more a side")
    return np.ascontiguousarray(image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2))


def _find_landmarks(onset: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The onset's landmarks, or those of the mean face where alignment puts it."""
    from mer.face import detect_faces

    try:
        faces = detect_faces(onset)
        reason = "no face was found in the onset"
    except (OSError, ImportError) as error:  # a detector that is not installed, or its model
        faces, reason = [], str(error)
    if faces:
        return faces[0].landmarks
    warnings.warn(f"{reason}; the mean face stands in, where alignment puts it", stacklevel=3)
    return mean_landmarks(onset.shape[:2])


def _check_result(field: Any, shape: tuple[int, ...], what: str) -> Field:
    field = check_field(field, what)
    if field.shape[:2] != shape:
        raise ValueError(f"{what} has shape {field.shape}; expected {(*shape, 2)}, the size of the frames")
    return field


def _check_flow(flow: Flow, shape: tuple[int, ...], name: str) -> Flow:
    fields = {key: _check_result(getattr(flow, key), shape, f"the {key} flow by {name}") for key in COMPONENTS}
    if not np.allclose(fields["expression"], fields["facial"] - fields["head"], atol=1e-3):
        raise ValueError(f"the expression flow by {name} is not facial - head; use Flow.split")
    return Flow.split(fields["facial"], fields["head"], flow.mask)
