import os
import subprocess
import sys

import pytest

from tests.test_video import write_video

COMMANDS = ("extract-flow", "evaluate", "protocols", "doctor", "demo")


def mer(*arguments: str, **keywords) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "mer", *arguments], capture_output=True, text=True, check=False, **keywords
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_an_example(command):
    done = mer(command, "--help")
    assert done.returncode == 0
    assert f"mer {command}" in done.stdout.split("Example")[1]


def test_help_and_version():
    done = mer("--help")
    assert done.returncode == 0
    assert all(command in done.stdout for command in COMMANDS)
    assert mer("--version").stdout.startswith("mer ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("extract-flow", "nowhere"), "mer: nowhere is not there; give a folder of videos, or one video"),
        (("evaluate", "nowhere", "--protocol", "loso"), "mer extract-flow"),
        (("evaluate", "nowhere", "--protocol", "nothing"), "nothing"),
        (("protocols", "nothing"), "nothing"),
        (("extract-flow",), "Missing argument"),
        (("extract-flow", ".", "--align", "dlib"), "dlib"),
    ],
)
def test_wrong_usage_is_one_line_and_status_2(arguments, message, tmp_path):
    done = mer(*arguments, cwd=tmp_path, env={**os.environ, "PYTHONPATH": os.getcwd()})
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_debug_shows_the_traceback(tmp_path):
    assert "Traceback" in mer("extract-flow", str(tmp_path / "nowhere"), "--debug").stderr


def test_a_clip_that_failed_is_status_1_and_the_rest_is_written(sample_videos, tmp_path):
    import shutil

    (tmp_path / "videos" / "al").mkdir(parents=True)
    shutil.copy(next((sample_videos / "p01").glob("*.mp4")), tmp_path / "videos" / "al" / "good.mp4")
    write_video(tmp_path / "videos" / "al" / "grey.mp4", size=(320, 240))
    out = tmp_path / "flows"
    done = mer("extract-flow", str(tmp_path / "videos"), "--out", str(out), "--method", "dis")
    assert done.returncode == 1, done.stderr
    assert "al/grey: no_face" in done.stderr
    assert "1 of 2 clips written" in done.stdout
    assert len(list(out.rglob("*.npz"))) == 1
