"""Every command and every Python example of the README runs, in order, in one empty folder."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# They make the environment that the tests run in; CI runs them as they stand.
INSTALLING = ("make ", "git ", "cd ", "python ", "python3 ", "source ", ".venv")


def blocks(language: str) -> list[str]:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)


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
