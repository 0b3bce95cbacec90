"""The command line of training."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("", "no data"),
        ("--data nowhere", "nowhere: neither faces"),
        ("--data generic --size 100", "--size is 100"),
        ("--data generic --init nothing.pth", "nothing.pth does not exist"),
    ],
)
def test_a_mistake_is_one_line(arguments, words, tmp_path):
    command = [sys.executable, "-m", "mer.decflow.train", *arguments.split(), "--out", str(tmp_path / "run")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("mer.decflow.train: ")
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


def test_help_is_shown_without_torch():
    code = (
        "import sys\nfrom mer.decflow.train import main\n"
        "try:\n main(['--help'])\nfinally:\n sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0
    assert "usage: python -m mer.decflow.train" in done.stdout
