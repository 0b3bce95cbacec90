"""Endpoint errors of flow methods on data with true flow: by component, size of the motion and face region.

The endpoint error is the distance between estimated and true flow in pixels, inside the face mask. Errors of the face
are averaged per pair and then over pairs, as the authors of FacialFlowNet do; bands and regions are pooled over the
pixels of all pairs, because they can be small. The part `upstream` is the formula of the authors' code: the errors of
all pixels, including the background, divided by the number of face pixels. Its rates can exceed 1.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mer.face.align import region_mask
from mer.face.regions import REGIONS
from mer.flow import Flow
from mer.utils.progress import Track
from mer.utils.torch_setup import find_device

COMPONENTS = ("facial", "head", "expression")
BANDS = {"below 0.5 px": (0.0, 0.5), "0.5 to 1 px": (0.5, 1.0), "1 to 3 px": (1.0, 3.0), "above 3 px": (3.0, np.inf)}
RATES = (1, 3, 5)  # pixels
NO_EXPRESSION = "no expression"  # the zero-flow baseline in the column `method`, which scripts read
COLUMNS = ("pair", "method", "component", "part", "epe", "within_1px", "within_3px", "within_5px", "pixels", "seconds")


def evaluate_flow(
    data: str | Path,
    methods: Sequence[str | Callable],
    split: str = "test",
    *,
    limit: int | None = None,
    device: str = "auto",
    track: Track | None = None,
) -> pd.DataFrame:
    """Measure the errors of methods on a FacialFlowNet folder: one row per pair, method, component and part.

    Parameters
    ----------
    data : str or Path
        A folder in FacialFlowNet's layout: the original, or one that `mer synth` wrote.
    methods : sequence of str or function
        Names in `mer.METHODS`, or functions `(onset, apex) -> (H, W, 2) or Flow`. For methods with a single field, the
        head flow is a rigid head fitted to it. The zero-flow baseline for the expression, `no expression`, is added.
    split : {"train", "val", "test"}
    limit : int, optional
        Number of pairs, evenly spaced over the split.
    device : str
    track : function, optional
        `track(items, total, description)` yields `items` and shows progress.

    Returns
    -------
    DataFrame
        The columns :data:`COLUMNS`. `part` is `face`, a band of :data:`BANDS` by the true motion of the component, a
        face region if there are landmarks, or `upstream`. :func:`summarize` averages the rows.

    Raises
    ------
    ValueError
        If no mask contains a face.
    """
    from mer.extraction.methods import estimate_flow
    from mer.flow.facialflownet import read_facialflownet

    files = read_facialflownet(data, split)
    if device != "auto":
        find_device(device)
    if limit is not None and limit < len(files):
        files = [files[n] for n in np.linspace(0, len(files) - 1, limit).round().astype(int)]
    rows: list[dict[str, Any]] = []
    named = _named(methods)
    for file in track(files, len(files), "pairs") if track else files:
        onset, apex, truth = file.load()
        landmarks = file.landmarks()
        pair = f"{file.emotion}/{file.sequence}/{file.number}"
        for name, method in named.items():
            began = time.perf_counter()
            flow = estimate_flow(onset, apex, method, landmarks=landmarks, device=device)
            seconds = time.perf_counter() - began
            rows += [
                {"pair": pair, "method": name, "seconds": seconds, **r} for r in flow_errors(flow, truth, landmarks)
            ]
        rows += [{"pair": pair, "method": NO_EXPRESSION, **row} for row in expression_size(truth, landmarks)]
    if not any(row["part"] == "face" for row in rows):
        raise ValueError(f"no mask of {data}, split {split}, contains a face; errors are measured inside the face")
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _named(methods: Sequence[str | Callable]) -> dict[str, str | Callable]:
    """Each method once under a unique name: the second function of one name becomes `name (2)`."""
    from mer.extraction.methods import method_name

    named: dict[str, str | Callable] = {}
    for method in methods:
        name = method if isinstance(method, str) else getattr(method, "__name__", method_name(method))
        count, unique = 1, name
        while unique in named and named[unique] is not method and named[unique] != method:
            count += 1
            unique = f"{name} ({count})"
        named[unique] = method
    return named


def flow_errors(estimate: Flow, truth: Flow, landmarks: NDArray[np.float32] | None = None) -> list[dict[str, Any]]:
    """Errors of one flow: a row per component and part that has pixels.

    Parameters
    ----------
    estimate, truth : Flow
        Of the same size. The mask is that of the truth.
    landmarks : float32 (478, 3), optional
        Of the onset, in pixels; without them there are no rows for regions.
    """
    if estimate.facial.shape != truth.facial.shape:
        raise ValueError(f"the flow has size {estimate.facial.shape[:2]}, the truth {truth.facial.shape[:2]}")
    return [
        row
        for component in COMPONENTS
        for row in _rows(component, getattr(estimate, component), getattr(truth, component), truth.mask, landmarks)
    ]


def expression_size(truth: Flow, landmarks: NDArray[np.float32] | None = None) -> list[dict[str, Any]]:
    """Errors of the zero-flow baseline: the size of the true expression flow."""
    return _rows("expression", np.zeros_like(truth.expression), truth.expression, truth.mask, landmarks)


def _rows(
    component: str,
    estimate: NDArray[np.float32],
    truth: NDArray[np.float32],
    mask: NDArray[np.uint8],
    landmarks: NDArray[np.float32] | None,
) -> list[dict[str, Any]]:
    error = np.hypot(*np.moveaxis(estimate.astype(np.float64) - truth, -1, 0))
    size = np.hypot(*np.moveaxis(truth.astype(np.float64), -1, 0))
    face = mask != 0
    parts = {"face": face}
    parts |= {band: face & (size >= low) & (size < high) for band, (low, high) in BANDS.items()}
    if landmarks is not None:
        height, width = mask.shape
        parts |= {
            name: face & (region_mask(landmarks, name, (height, width)) > 0) for name in REGIONS if name != "oval"
        }
    rows = [_row(component, part, error[area], int(area.sum())) for part, area in parts.items() if area.any()]
    if face.any():
        rows.append(_row(component, "upstream", error.ravel(), int(face.sum())))
    return rows


def _row(component: str, part: str, errors: NDArray[np.float64], pixels: int) -> dict[str, Any]:
    rates = {f"within_{n}px": float((errors < n).sum() / pixels) for n in RATES}
    return {"component": component, "part": part, "epe": float(errors.sum() / pixels), **rates, "pixels": pixels}


def summarize(rows: pd.DataFrame) -> pd.DataFrame:
    """Average the rows of :func:`evaluate_flow` over pairs: one row per method, component and part, in their order.

    `face` and `upstream` are means of the means of pairs; bands and regions are pooled over pixels.
    """
    values = ["epe", *(f"within_{n}px" for n in RATES)]
    summary = []
    for (method, component, part), group in rows.groupby(["method", "component", "part"], sort=False):
        weights = np.ones(len(group)) if part in ("face", "upstream") else group["pixels"].to_numpy(float)
        means = {value: float(np.average(group[value], weights=weights)) for value in values}
        counts = {"pairs": len(group), "pixels": int(group["pixels"].sum()), "seconds": group["seconds"].median()}
        summary.append({"method": method, "component": component, "part": part, **means, **counts})
    return pd.DataFrame(summary)
