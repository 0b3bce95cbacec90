import importlib
import subprocess
import sys

import pytest

import mer


@pytest.mark.parametrize("path", mer._MOVED)
def test_a_documented_path_imports_the_module(path: str) -> None:
    assert importlib.import_module(path) is importlib.import_module(mer._MOVED[path])


@pytest.mark.parametrize("name", ["plot", "readout", "datasets"])
def test_a_documented_module_is_an_attribute(name: str) -> None:
    """Without an import of the module itself."""
    code = f"import mer; print(mer.{name}.__name__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == mer._MOVED.get(f"mer.{name}", f"mer.{name}"), done.stderr
