"""The package as users install it: built from a source distribution, in an environment without the checkout."""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LIBRARIES = [path for path in sys.path if path.endswith("site-packages")]


def run(*command: object, cwd: Path, **environment: str) -> str:
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, capture_output=True, text=True, env={**os.environ, **environment}
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout's files, since a build leaves files behind."""
    folder = tmp_path_factory.mktemp("source") / "checkout"
    ignored = shutil.ignore_patterns(
        "__pycache__", ".*", "*.egg-info", "build", "dist", "site", "demo", "flows", "results"
    )
    shutil.copytree(ROOT, folder, ignore=ignored)
    return folder


@pytest.fixture(scope="module")
def wheel(source: Path) -> Path:
    """The wheel that `python -m build` makes by way of the source distribution."""
    run(sys.executable, "-m", "build", "--no-isolation", ".", cwd=source)
    (path,) = (source / "dist").glob("*.whl")
    return path


def environment(folder: Path) -> Path:
    """The Python of a new virtual environment that sees this one's libraries, but not this one's `mer`."""
    run(sys.executable, "-m", "venv", "--without-pip", folder, cwd=folder.parent)
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    # Editable installs are .pth files, which take effect in the environment's own folder alone.
    Path(run(python, "-c", code, cwd=folder).strip(), "libraries.pth").write_text("\n".join(LIBRARIES))
    return python


def install(python: Path, *arguments: object) -> None:
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-deps", "--no-build-isolation"]
    run(*pip, *arguments, cwd=python.parent, PYTHONPATH=os.pathsep.join(LIBRARIES))


@pytest.mark.slow
def test_source_distribution_and_wheel_are_complete(source: Path, wheel: Path) -> None:
    """The wheel has every data file of the package and every protocol; the source distribution has all else."""
    packed = set(zipfile.ZipFile(wheel).namelist())
    data = {path.relative_to(source).as_posix() for path in (source / "mer").rglob("*") if path.is_file()}
    assert data - packed == set()
    assert {f"mer/protocols/{path.name}" for path in (source / "protocols").glob("*.yaml")} <= packed
    (archive,) = (source / "dist").glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        names = {name.split("/", 1)[1] for name in tar.getnames() if "/" in name}
    assert {"README.md", "LICENSE", "CHANGELOG.md", "Makefile", "constraints.txt", "mer/py.typed"} <= names
    assert {f"protocols/{path.name}" for path in (source / "protocols").glob("*.yaml")} <= names
    assert "tests/conftest.py" in names


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_wheel_runs_in_a_clean_environment(wheel: Path, tmp_path: Path) -> None:
    python = environment(tmp_path / "venv")
    install(python, wheel)
    assert "megc2019" in run(python, "-m", "mer", "protocols", cwd=tmp_path, PYTHONPATH="")
    place = run(python, "-c", "import mer; print(mer.__file__)", cwd=tmp_path, PYTHONPATH="").strip()
    assert Path(place).is_relative_to(tmp_path)
    run(python, "-m", "mer", "demo", "demo", cwd=tmp_path, PYTHONPATH="")
    assert list((tmp_path / "demo").rglob("report.html"))


@pytest.mark.slow
def test_an_editable_install_reads_the_protocols_of_the_checkout(source: Path, tmp_path: Path) -> None:
    python = environment(tmp_path / "venv")
    install(python, "-e", source)
    (tmp_path / "mer" / "mer").mkdir(parents=True)  # a clone below the folder where Python starts must not be imported
    code = "import mer; print(mer.__file__, mer.PROTOCOLS['megc2019'].people['samm'])"
    place, people = run(python, "-c", code, cwd=tmp_path, PYTHONPATH="").split()
    assert Path(place).is_relative_to(source)
    assert people == "28"
