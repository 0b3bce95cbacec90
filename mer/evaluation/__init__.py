"""Subject-independent evaluation: folds, protocols, scores, comparison, and the error of flow.

`evaluate` loads on first use, so that importing the package does not load scikit-learn.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(__name__, submod_attrs={"evaluate_folder": ["evaluate"]})
