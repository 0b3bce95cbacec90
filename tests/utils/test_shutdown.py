"""Programs end with one line and the exit status that shells expect."""

from __future__ import annotations

import subprocess
import sys

import pytest

from mer.utils.shutdown import one_line_errors

# Ctrl-C some time after the program has started; `doctor` imports all libraries.
INTERRUPT = """
import os, signal, sys, threading
import mer.cli
assert "typer" not in sys.modules  # the program starts with little code, so that Ctrl-C is handled early
sys.argv = ["mer", "doctor"]
threading.Timer({delay}, os.kill, (os.getpid(), signal.SIGINT)).start()
mer.cli.main()
"""


@pytest.mark.parametrize("delay", [0.01, 0.05, 0.1, 0.2, 0.4])
def test_ctrl_c_during_the_imports_is_one_line(delay):
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPT.format(delay=delay)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 130
    assert done.stderr == "mer: interrupted; run the same command again to resume\n"


def test_ctrl_c_is_ignored_during_the_imports_if_the_shell_ignores_it():
    code = (
        "import os, signal\nfrom mer.utils.shutdown import end_at_once\n"
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "with end_at_once('mer'):\n os.kill(os.getpid(), signal.SIGINT)\nprint('done')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "done\n"


class Failing:
    """A data set of torch whose every item raises."""

    def __len__(self):
        return 1

    def __getitem__(self, n):
        raise ValueError("a.flo: damaged")


def test_an_error_in_a_worker_of_torch_is_one_line(capsys):
    torch_data = pytest.importorskip("torch.utils.data")
    with pytest.raises(SystemExit) as ended, one_line_errors("mer"):
        next(iter(torch_data.DataLoader(Failing(), num_workers=1)))
    assert ended.value.code == 2
    assert capsys.readouterr().err == "mer: a.flo: damaged\n"
