"""Flow methods by name, and the function that runs them: `estimate_flow`.

A method is a function `(onset, apex) -> (H, W, 2) or Flow`: frames uint8 `(H, W, 3)` RGB, flow in pixels from onset to
apex on the onset's grid, x first. If it has parameters named `landmarks` or `device`, it receives those too. To add a
method, write the function and register it in :data:`METHODS`. To try one, pass the function instead of a name.
"""

from __future__ import annotations

import hashlib
import inspect
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mer.decflow.methods import decflow, decflow_paper
from mer.decflow.weights import find_weights as find_decflow_weights
from mer.face import crop_landmarks, detect_faces, face_mask
from mer.flow.classical import dis, farneback, require_tvl1, tvl1
from mer.flow.field import Field, Flow, check_field
from mer.flow.files import COMPONENTS
from mer.flow.raft import find_weights as find_raft_weights
from mer.flow.raft import raft_large, raft_small
from mer.flow.rigid_head import check_landmarks, fit_head_flow

Method = str | Callable[..., Any]  # a name in METHODS, or a function


def _needs_no_library() -> None:
    pass


def _has_no_weights(download: bool | None) -> None:
    return None


@dataclass(frozen=True)
class FlowMethod:
    """A flow method of :data:`METHODS`; calling it calls `run`.

    Attributes
    ----------
    run : function `(onset, apex, ...) -> (H, W, 2) or Flow`
    check : function `() -> None`
        Raises `ImportError` if a library is missing.
    weights : function `(download) -> Path or None`
        The file of weights, None for a method without any. Raises `OSError` or `ValueError` if the file is missing.
        `download` says whether to fetch it; by default, if the user has asked for that (:mod:`mer.flow.raft`).
    """

    run: Callable[..., Any]
    check: Callable[[], None] = _needs_no_library
    weights: Callable[[bool | None], Path | None] = _has_no_weights

    def __post_init__(self) -> None:
        object.__setattr__(self, "__wrapped__", self.run)  # inspect.signature shows the parameters of `run`

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.run(*args, **kwargs)


def _decflow_weights(name: str, download: bool | None = None) -> Path:
    return find_decflow_weights(name)


METHODS: dict[str, FlowMethod] = {
    "decflow": FlowMethod(decflow, weights=partial(_decflow_weights, "decflow")),
    "dis": FlowMethod(dis),
    "tvl1": FlowMethod(tvl1, check=require_tvl1),
    "farneback": FlowMethod(farneback),
    "raft-small": FlowMethod(raft_small, weights=partial(find_raft_weights, "small")),
    "raft-large": FlowMethod(raft_large, weights=partial(find_raft_weights, "large")),
    "decflow-paper": FlowMethod(decflow_paper, weights=partial(_decflow_weights, "decflow-paper")),
}

# It has the smallest facial, head and expression error on unseen people (benchmarks/flow.py).
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
        RGB, aligned face crops; (H, W) is read as gray.
    method : str or function
        A name in :data:`METHODS`, or a function `(onset, apex) -> (H, W, 2) or Flow`. A single field is facial flow,
        whose head part :func:`mer.flow.fit_head_flow` estimates.
    landmarks : (478, 3), optional
        Face-mesh points of the onset, pixels. By default they are detected in the onset. If no face is found there,
        the mean face at its place in an aligned crop is used, with a warning.
    device : str
        `auto`, `cpu` or `cuda`, for methods that are networks.

    Returns
    -------
    Flow

    Raises
    ------
    ValueError
        If the frames are not images of one size, the method is unknown, or its result is not finite or has another
        shape.

    Examples
    --------
    >>> import numpy as np
    >>> onset = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    >>> flow = estimate_flow(onset, onset, lambda onset, apex: np.zeros((64, 64, 2)), landmarks=crop_landmarks(64))
    >>> flow.expression.shape, flow.expression.dtype
    ((64, 64, 2), dtype('float32'))
    """
    function, name = find_method(method).run, method_name(method)
    onset, apex = _as_rgb(onset, "onset"), _as_rgb(apex, "apex")
    if onset.shape != apex.shape:
        raise ValueError(f"onset and apex differ in size: {onset.shape[:2]} and {apex.shape[:2]}")
    shape = onset.shape[:2]
    if landmarks is not None:
        landmarks = check_landmarks(landmarks).astype(np.float32)
    parameters = _parameters(function)
    if landmarks is None and "landmarks" in parameters:
        landmarks = _find_landmarks(onset)
    available = {"landmarks": landmarks, "device": device}
    result = function(onset, apex, **{key: value for key, value in available.items() if key in parameters})
    if isinstance(result, Flow):
        return _check_flow(result, shape, name)
    facial = _check_result(result, shape, f"the flow by {name}")
    if landmarks is None:
        landmarks = _find_landmarks(onset)
    mask = face_mask(landmarks, shape)
    return Flow.split(facial, fit_head_flow(facial, landmarks, mask), mask)


def find_method(method: Method) -> FlowMethod:
    """The entry of :data:`METHODS` by name; a function becomes an entry that needs neither libraries nor weights."""
    if not callable(method):
        if method not in METHODS:
            raise ValueError(f"unknown flow method {method!r}; choose {', '.join(METHODS)}, or pass a function")
        method = METHODS[method]
    return method if isinstance(method, FlowMethod) else FlowMethod(method)


def method_name(method: Method) -> str:
    """The name under which results are recorded: the name in :data:`METHODS`, or `module.function`."""
    if isinstance(method, str):
        return method
    function = method.run if isinstance(method, FlowMethod) else method
    named = function if hasattr(function, "__qualname__") else type(function)
    return f"{named.__module__}.{named.__qualname__}"


def check_method(method: Method) -> None:
    """Raise before any work starts if a method cannot be used.

    Weights are downloaded here if the user has asked for that; see :mod:`mer.flow.raft`.

    Raises
    ------
    ValueError, OSError, ImportError
        If the name is unknown, weights are missing, or a library is not installed. The message says what to do.
    """
    found = find_method(method)
    found.check()
    found.weights(None)


def method_status(name: str) -> str:
    """Why a method cannot be used, or an empty string. Nothing is downloaded."""
    try:
        method = find_method(name)
        method.check()
        method.weights(False)
    except (ValueError, OSError, ImportError) as error:
        return str(error)
    return ""


def describe_method(method: Method) -> dict[str, str | None]:
    """The method in a record of results: `method`, `weights` (file name) and `weights_sha256`."""
    path = find_method(method).weights(None)
    digest = hashlib.sha256(path.read_bytes()).hexdigest() if path else None
    return {"method": method_name(method), "weights": path.name if path else None, "weights_sha256": digest}


def _parameters(function: Callable[..., Any]) -> set[str]:
    try:
        return set(inspect.signature(function).parameters)
    except (ValueError, TypeError):  # functions written in C may have no signature
        return set()


def _as_rgb(image: np.ndarray, name: str) -> NDArray[np.uint8]:
    image = np.asarray(image)
    if image.dtype != np.uint8 or image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] != 3):
        raise ValueError(f"{name} is {image.dtype} {image.shape}; expected a uint8 image (height, width, 3), RGB")
    if min(image.shape[:2]) < SMALLEST:
        raise ValueError(f"{name} is {image.shape[1]} x {image.shape[0]} pixels; expected {SMALLEST} or more per side")
    return np.ascontiguousarray(image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2))


def _find_landmarks(onset: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The landmarks of the onset, or those of the mean face at its place in an aligned crop."""
    try:
        faces = detect_faces(onset)
        reason = "no face was found in the onset"
    except (OSError, ImportError) as error:  # the detector or its model is not installed
        faces, reason = [], str(error)
    if faces:
        return faces[0].landmarks
    warnings.warn(f"{reason}; using the mean face at its place in an aligned crop", stacklevel=3)
    return crop_landmarks(onset.shape[:2])


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
