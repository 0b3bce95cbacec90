"""Micro-expression recognition: face, flow, features, classifier, evaluation.

>>> import mer
>>> flow = mer.estimate_flow(onset, apex)                       # doctest: +SKIP
>>> table = mer.extract_flow("videos/", out="flows/")           # doctest: +SKIP
>>> result = mer.evaluate("flows/", protocol="loso")            # doctest: +SKIP
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from mer import _env as _env

if TYPE_CHECKING:
    from mer.analysis import analyze
    from mer.evaluation import evaluate
    from mer.extract import extract_flow
    from mer.flow import Flow
    from mer.methods import METHODS, estimate_flow
    from mer.models import MODELS
    from mer.protocol import PROTOCOLS
    from mer.spotting import spot

__version__ = "0.1.0"
__all__ = ["METHODS", "MODELS", "PROTOCOLS", "Flow", "analyze", "estimate_flow", "evaluate", "extract_flow", "spot"]

# Name -> the module that holds it: `import mer` stays quick, since pandas, torch and the rest load on first use.
_HOME = {
    "Flow": "mer.flow",
    "METHODS": "mer.methods",
    "estimate_flow": "mer.methods",
    "extract_flow": "mer.extract",
    "MODELS": "mer.models",
    "PROTOCOLS": "mer.protocol",
    "evaluate": "mer.evaluation",
    "spot": "mer.spotting",
    "analyze": "mer.analysis",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'mer' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
