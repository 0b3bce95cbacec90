"""Every command and every Python example of the README runs, in order, in one empty folder."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
# They make the environment that the tests run in; CI runs them as they stand.
INSTALLING = ("make ", "git ", "cd ", "python ", "python3 ", "source ", ".venv")


def blocks(language: str) -> list[str]:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)


def your_own_video(path: Path) -> None:
    """Four seconds of a face that smiles once, in the place of the reader's own video."""
    import cv2
    from skimage.data import astronaut

    from mer.datasets.video import write_video

    y, x = np.mgrid[:288, :288].astype(np.float32)
    face = np.ascontiguousarray(astronaut()[:288, 80:368])
    corners = [np.exp(-((x - px) ** 2 + (y - 162) ** 2) / 200) for px in (123, 165)]  # of the mouth
    lift = np.stack([corners[1] - corners[0], -corners[0] - corners[1]], axis=-1)

    def frames():
        for t in range(100):
            moved = 3 * np.exp(-(((t - 50) / 6) ** 2)) * lift
            yield cv2.remap(face, (x - moved[..., 0]).astype(np.float32), (y - moved[..., 1]).astype(np.float32), 1)

    write_video(path, frames(), 288, 25)


@pytest.mark.slow
def test_commands_and_examples_run(tmp_path):
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "MPLBACKEND": "Agg",
    }
    commands = [line for block in blocks("bash") for line in block.splitlines() if line.strip() and line[0] != "#"]
    commands = [line for line in commands if not line.startswith(INSTALLING)]
    assert len(commands) >= 4
    your_own_video(tmp_path / "me.mp4")
    for command in commands:
        done = subprocess.run(
            shlex.split(command, comments=True),
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    examples = blocks("python")
    assert examples
    for example in examples:
        done = subprocess.run(
            [sys.executable, "-c", example], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{example}\n{done.stderr}"


def test_files_that_are_linked_are_there():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    linked = {target.split("#")[0] for target in re.findall(r"\]\(([^)]+)\)", text) if "://" not in target}
    assert len(linked) > 10
    assert not [target for target in linked if not (ROOT / target).exists()]


def test_commands_that_are_named_are_there():
    from mer.cli.program import COMMANDS

    text = (ROOT / "README.md").read_text(encoding="utf-8")
    named = set(
        re.findall(r"\bmer ([a-z]+(?:-[a-z]+)*)\b", "\n".join(re.findall(r"```.*?```|`mer [^`]+`", text, re.DOTALL)))
    )
    assert {"demo", "analyze", "extract-flow"} <= named
    assert named <= set(COMMANDS)
