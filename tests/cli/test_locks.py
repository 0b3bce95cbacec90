"""Every command that writes into a folder locks it first, and removes what a killed run left there."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from mer.cli.program import app
from mer.utils.folder_lock import FolderInUse, lock_file, lock_folder
from tests.drawn_flows import write_drawn_flows
from tests.faults.test_clips import frames
from tests.faults.test_interruptions import images

COMMANDS = {
    "extract-flow": "extract-flow videos --out OUT --method dis",
    "import-flow": "import-flow images --table table.csv --out OUT",
    "evaluate": "evaluate flows --report OUT",
    "evaluate spotting": "evaluate flows --protocol spotting --report OUT",
    "spot a video": "spot videos/al/a --out OUT",
    "spot a folder": "spot videos --out OUT",
    "analyze": "analyze videos/al/a --out OUT",
    "synth": "synth OUT --pairs 2",
    "train classifier": "train classifier flows --out OUT",
    "train decflow": "train decflow --data faces --out OUT",
    "demo": "demo OUT",
}


class Cleared(Exception):
    """Raised instead of removing files, so that no command does its work."""


@pytest.fixture
def arguments(request, tmp_path, monkeypatch) -> list[str]:
    """The arguments of one command, in a folder that has its inputs; the output folder is `out`."""
    if request.param == "synth":
        pytest.importorskip("anny")
        pytest.importorskip("numba")
    monkeypatch.chdir(tmp_path)
    for name in "ab":
        frames(("1", "2"))(tmp_path / "videos" / "al" / name)
    images(tmp_path)
    write_drawn_flows(tmp_path / "flows", people=2, clips=2)
    out = "out.npz" if request.param == "train classifier" else "out"
    return COMMANDS[request.param].replace("OUT", out).split()


def run(arguments: list[str]) -> BaseException | None:
    return CliRunner().invoke(app, arguments).exception


@pytest.mark.parametrize("arguments", COMMANDS, indirect=True)
def test_a_second_run_is_refused(arguments):
    hold = lock_file("out.npz") if "out.npz" in arguments else lock_folder("out")
    with hold:
        assert isinstance(run(arguments), FolderInUse)


@pytest.mark.parametrize("arguments", COMMANDS, indirect=True)
def test_leftovers_of_a_killed_run_are_removed_first(arguments, monkeypatch):
    cleared = []

    def clear(path: object) -> None:
        cleared.append(str(path))
        raise Cleared

    monkeypatch.setattr("mer.utils.folder_lock.remove_parts", clear)
    assert isinstance(run(arguments), Cleared)
    assert cleared == ["out.npz" if "out.npz" in arguments else "out"]
