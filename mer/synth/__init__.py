"""Rendered faces with exact facial, head and expression flow.

>>> from mer.synth import Settings, make_dataset, read_facialflownet
>>> make_dataset("rendered/", Settings(preset="micro", pairs=100))        # doctest: +SKIP
>>> first, second, flow = read_facialflownet("rendered/")[0].load()       # doctest: +SKIP
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mer.flow.facialflownet import read_facialflownet
    from mer.synth.benchmark import make_benchmark
    from mer.synth.dataset import Settings, make_dataset
    from mer.synth.models import FACE_MODELS

__all__ = ["FACE_MODELS", "Settings", "make_benchmark", "make_dataset", "read_facialflownet"]

# The reader needs neither numba nor anny, so a name is looked up where it is used.
_HOME = {
    "FACE_MODELS": "mer.synth.models",
    "Settings": "mer.synth.dataset",
    "make_benchmark": "mer.synth.benchmark",
    "make_dataset": "mer.synth.dataset",
    "read_facialflownet": "mer.flow.facialflownet",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'mer.synth' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)
