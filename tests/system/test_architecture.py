"""The rooms of the package, and the direction of their imports."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = {path.name for path in (ROOT / "mer").iterdir() if (path / "__init__.py").exists()}


def test_no_module_is_loose() -> None:
    assert {path.name for path in (ROOT / "mer").glob("*.py")} == {"__init__.py", "__main__.py", "_version.py"}


@pytest.mark.slow
def test_imports_go_one_way() -> None:
    """The layers are in `pyproject.toml`; imports inside functions count, too."""
    pytest.importorskip("importlinter")
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([program, "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_the_layers_name_every_room() -> None:
    layers = (ROOT / "pyproject.toml").read_text(encoding="utf-8").split("[tool.importlinter]")[1]
    assert set(re.findall(r"mer\.(\w+)", layers)) == ROOMS


def test_the_docs_list_every_room_and_every_module() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert {room for room in ROOMS if f"`mer/{room}/`" not in text} == set()
    modules = {path.stem for room in ROOMS for path in (ROOT / "mer" / room).glob("*.py")} - {"__init__"}
    assert {module for module in modules if f"`{module}`" not in text} == set()


def test_files_are_short() -> None:
    """A file is one story on a few screens."""
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in (ROOT / "mer").rglob("*.py")}
    assert {str(path): lines for path, lines in lengths.items() if lines > 350} == {}


def test_every_module_is_named_by_a_test() -> None:
    """Tests mirror the modules: `mer/room/module.py` has `tests/room/test_module.py`."""
    modules = {
        path.relative_to(ROOT / "mer")
        for room in ROOMS - {"cli"}  # commands are tested as a whole
        for path in (ROOT / "mer" / room).rglob("*.py")
        if path.name != "__init__.py"
    }
    missing = {m for m in modules if not (ROOT / "tests" / m.with_name(f"test_{m.name}")).exists()}
    assert missing == set()
