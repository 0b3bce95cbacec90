"""Micro-expression recognition: face, flow, features, classifier, evaluation.

>>> import mer
>>> flow = mer.estimate_flow(onset, apex)                       # doctest: +SKIP
>>> table = mer.extract_flow("videos/", out="flows/")           # doctest: +SKIP
>>> result = mer.evaluate("flows/", protocol="loso")            # doctest: +SKIP

The public names are listed in `__init__.pyi` and load on first use, so that `import mer` stays fast.
"""

import importlib
from typing import Any

import lazy_loader

from mer.utils import moved_modules as _moved_modules
from mer.utils import torch_setup as _torch_setup  # noqa: F401  its environment variables take effect before torch loads

_load, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

# Documented paths of earlier releases.
_MOVED = {
    "mer.readout": "mer.models.action_unit_reader",
    "mer.plot": "mer.report.figures",
    "mer.decflow.classify": "mer.models.end_to_end",
}
_moved_modules.install(_MOVED)


def __getattr__(name: str) -> Any:
    if f"{__name__}.{name}" in _MOVED:
        return importlib.import_module(f"{__name__}.{name}")
    return _load(name)
