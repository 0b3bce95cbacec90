"""Rendered faces with exact facial, head and expression flow.

>>> from mer.synth import Settings, make_dataset, read_facialflownet
>>> make_dataset("rendered/", Settings(preset="micro", pairs=100))        # doctest: +SKIP
>>> first, second, flow = read_facialflownet("rendered/")[0].load()       # doctest: +SKIP

The names in `__init__.pyi` load on first use, so that reading a dataset needs neither numba nor a face model.
"""

import lazy_loader

from mer.flow.facialflownet import read_facialflownet as read_facialflownet

__getattr__, _lazy_dir, _lazy_names = lazy_loader.attach_stub(__name__, __file__)
__all__ = sorted([*_lazy_names, "read_facialflownet"])


def __dir__() -> list[str]:
    return __all__
