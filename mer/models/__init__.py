"""Classifiers as scikit-learn pipelines.

:data:`MODELS` maps each name to a factory, which returns an unfitted pipeline. X holds flow fields `(n, H, W, 2)` in
interocular distances, or their rows `(n, H * W * 2)`. `svm-lbptop`, `svm-3dhog` and `r3d` take gray frames
`(n, T, H, W)` instead; `mmnet-frames` and `end-to-end` take the onset and the apex in color, `(n, 2, S, S, 3)`. The
first step of a pipeline, :class:`PerClip`, computes features of each clip independently; all other steps are fitted.
Factories of classifiers that draw random numbers have a parameter `random_state`; all others are deterministic.
`docs/models.md` lists inputs, settings, sources and computing costs.

The public names are listed in `__init__.pyi` and load on first use, so that the names in :data:`MODELS` need neither
scikit-learn nor torch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
