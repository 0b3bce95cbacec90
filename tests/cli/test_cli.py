import json
import shutil
import subprocess
import sys

import pytest

from mer.cli import main
from mer.cli.program import COMMANDS
from tests.datasets.test_video import write_video
from tests.faults.test_interruptions import images


@pytest.fixture
def mer(monkeypatch, capsys):
    """Run the program in this process: its exit status, stdout and stderr."""

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["mer", *arguments])
        with pytest.raises(SystemExit) as stop:
            main()
        out, err = capsys.readouterr()
        return int(stop.value.code or 0), out, err

    return run


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_an_example(mer, command):
    status, out, _ = mer(command, "--help")
    assert status == 0
    assert f"mer {command}" in out.split("Example")[1]
    assert "{mer" not in out


def test_help_lists_every_command(mer):
    status, out, _ = mer("--help")
    assert status == 0
    assert all(command in out for command in COMMANDS)
    assert mer("--version")[1].startswith("mer ")


def test_python_m_mer_is_the_same_program(tmp_path):
    done = subprocess.run([sys.executable, "-m", "mer", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("mer ")
    folder, table = images(tmp_path)
    arguments = ["import-flow", str(folder), "--table", str(table), "--out", str(tmp_path / "flows")]
    subprocess.run([sys.executable, "-m", "mer", *arguments], capture_output=True, check=True)
    assert json.loads((tmp_path / "flows" / "run.json").read_text())["command"] == ["mer", *arguments]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("extract-flow", "nowhere"), "mer: nowhere does not exist; give a folder of videos, or one video"),
        (("evaluate", "nowhere", "--protocol", "loso"), "mer extract-flow"),
        (("evaluate", "nowhere", "--protocol", "nothing"), "nothing"),
        (("protocols", "nothing"), "nothing"),
        (("extract-flow",), "Missing argument"),
        (("extract-flow", ".", "--align", "dlib"), "dlib"),
        (("extract-flow", ".", "--size", "8"), "size"),
    ],
)
def test_wrong_usage_exits_with_2_and_no_traceback(mer, arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, _, err = mer(*arguments)
    assert status == 2
    assert message in err
    assert "Traceback" not in err


def test_debug_shows_the_traceback(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "argv", ["mer", "extract-flow", str(tmp_path / "nowhere"), "--debug"])
    with pytest.raises(FileNotFoundError):
        main()


def test_the_message_of_an_interruption_explains_how_to_resume(mer, monkeypatch):
    def interrupt(**keywords):
        raise KeyboardInterrupt

    monkeypatch.setattr("mer.cli.program.app", interrupt)
    status, _, err = mer("extract-flow", "videos")
    assert status == 130
    assert "run the same command again" in err


def test_a_failed_clip_exits_with_1_and_the_others_are_written(mer, sample_videos, tmp_path):
    (tmp_path / "videos" / "al").mkdir(parents=True)
    shutil.copy(next((sample_videos / "p01").glob("*.mp4")), tmp_path / "videos" / "al" / "good.mp4")
    (tmp_path / "videos" / "labels.csv").write_text("subject,clip,apex\nal,good,9\n")
    write_video(tmp_path / "videos" / "al" / "grey.mp4", size=(320, 240))
    status, out, err = mer("extract-flow", str(tmp_path / "videos"), "--out", str(tmp_path / "flows"))
    assert status == 1
    assert "al/grey: no_face" in err
    assert "1 of 2 clips written" in out
    assert len(list((tmp_path / "flows").rglob("*.npz"))) == 1


def test_doctor_names_every_part(mer):
    status, out, _ = mer("doctor")
    assert status == 0
    for part in ("Python", "OpenCV with TV-L1", "faces by mediapipe", "faces by mtcnn", "flow by dis", "protocols"):
        assert part in out
