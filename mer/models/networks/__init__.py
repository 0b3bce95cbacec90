"""Networks: `torch.nn.Module`s from images `(n, channels, size, size)` to class scores `(n, n_classes)`.

Submodules load on first use, since each imports torch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(__name__, ["htnet", "mmnet", "r3d", "shallow", "ststnet", "symnet"])
