"""Old import paths of modules that have moved."""

import importlib
import importlib.util
import sys
from collections.abc import Mapping, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType


class _MovedModules:
    """A finder and loader; without the base classes of `importlib.abc`, whose import would delay that of mer."""

    def __init__(self, moved: Mapping[str, str]) -> None:
        self.moved = dict(moved)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return importlib.util.spec_from_loader(fullname, self) if fullname in self.moved else None  # type: ignore[arg-type]

    def create_module(self, spec: ModuleSpec) -> None:
        """Let Python create an empty module, which `exec_module` replaces."""

    def exec_module(self, module: ModuleType) -> None:
        # The import system returns the entry of `sys.modules` after the module has been executed.
        sys.modules[module.__name__] = importlib.import_module(self.moved[module.__name__])


def install(moved: Mapping[str, str]) -> None:
    """Let old import paths return the modules at their new paths.

    Parameters
    ----------
    moved : mapping of str to str
        Old dotted path -> new dotted path. Both import the same module object.
    """
    # First, since a leftover folder of an earlier checkout would otherwise be imported as a namespace package.
    sys.meta_path.insert(0, _MovedModules(moved))
