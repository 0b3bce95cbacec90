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

# Documented import paths: short names of public modules, then the paths of version 0.1.
_MOVED = {
    "mer.plot": "mer.report.figures",
    "mer.readout": "mer.models.action_unit_reader",
    "mer.decflow.classify": "mer.models.end_to_end_classifier",
    "mer.analysis": "mer.spotting.analyze_video",
    "mer.apex": "mer.extraction.apex",
    "mer.compare": "mer.evaluation.compare",
    "mer.epe": "mer.evaluation.flow_error",
    "mer.extract": "mer.extraction.extract",
    "mer.folder": "mer.datasets.video_folder",
    "mer.folds": "mer.evaluation.protocols.folds",
    "mer.import_flow": "mer.extraction.import_flow",
    "mer.methods": "mer.extraction.methods",
    "mer.metrics": "mer.evaluation.metrics",
    "mer.models.saved": "mer.models.model_files",
    "mer.protocol": "mer.evaluation.protocols.protocol",
    "mer.result": "mer.evaluation.result",
    "mer.sample_set": "mer.synth.sample_set",
    "mer.samples": "mer.datasets.samples",
    "mer.synth.benchmark": "mer.synth.video_benchmark",
    "mer.synth.dataset": "mer.synth.flow_dataset",
    "mer.synth.facialflownet": "mer.flow.facialflownet",
    "mer.training": "mer.evaluation.train_classifier",
    "mer.unit_result": "mer.evaluation.au_result",
    "mer.video": "mer.datasets.video",
}
_moved_modules.install(_MOVED)


def __getattr__(name: str) -> Any:
    if f"{__name__}.{name}" in _MOVED:
        return importlib.import_module(f"{__name__}.{name}")
    return _load(name)
