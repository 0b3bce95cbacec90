"""Killed runs, full disks, two runs at once: no result is lost, and results of different runs are never mixed."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from mer.cli import main
from mer.datasets.samples import read_samples, write_samples
from mer.evaluation.train_classifier import train_classifier
from mer.extraction.extract import extract_flow
from mer.extraction.import_flow import import_flow
from mer.models.model_files import load_model
from mer.utils.atomic_files import write_whole
from mer.utils.folder_lock import LOCK, FolderInUse, lock_folder
from mer.utils.processes import WorkerDied, run_jobs
from mer.utils.shutdown import clean_end
from tests.drawn_flows import write_drawn_flows
from tests.extraction.test_extract import contents, still
from tests.faults.rows import ROWS, Row, row
from tests.faults.test_clips import frames, seen

UNLINK = Path.unlink
ROOT = Path(__file__).parents[2]
BYTES = "the next run resumes; all bytes equal those of an uninterrupted run"


class Killed(BaseException):
    """Simulates SIGKILL: no cleanup runs after it."""


@pytest.fixture
def videos(tmp_path, monkeypatch) -> Path:
    """Four clips of two frames, with a stubbed face detector."""
    monkeypatch.setattr("mer.extraction.expression.detect_faces", seen)
    for name in "abcd":
        frames(("1", "2"))(tmp_path / "videos" / "al" / name)
    rows = "".join(f"al,{name},2\n" for name in "abcd")
    (tmp_path / "videos" / "labels.csv").write_text(f"subject,clip,apex\n{rows}")
    return tmp_path / "videos"


def extract(videos: Path, out: Path, **options) -> pd.DataFrame:
    return extract_flow(videos, out, **{"method": still, "size": 64, **options})


def kill_at(monkeypatch, number: int) -> None:
    """Simulate a kill just before the n-th file is renamed to its final name."""
    moved = []
    replace = os.replace

    def dying(source, target):
        moved.append(target)
        if len(moved) == number:
            raise Killed
        replace(source, target)

    monkeypatch.setattr(os, "replace", dying)
    monkeypatch.setattr(Path, "unlink", lambda self, missing_ok=False: None)  # a killed process cleans up nothing


@pytest.mark.parametrize("number", range(1, 9))
@row("`mer extract-flow` killed at any moment", BYTES)
def test_a_killed_extraction_resumes_to_the_same_bytes(videos, tmp_path, number):
    extract(videos, tmp_path / "whole")
    with pytest.MonkeyPatch.context() as patch:
        kill_at(patch, number)
        with pytest.raises(Killed):
            extract(videos, tmp_path / "flows")
    assert list((tmp_path / "flows").rglob(".mer-*.part"))
    extract(videos, tmp_path / "flows")
    assert contents(tmp_path / "flows") == contents(tmp_path / "whole")


@row("temporary files of a killed run", "removed by the next run in the folder; other `.part` files stay")
def test_temporary_files_of_a_killed_run_are_removed(tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        kill_at(patch, 1)
        with pytest.raises(Killed), write_whole(tmp_path / "deep" / "a.txt") as file:
            file.write("half")
    (tmp_path / "mine.part").write_text("a download")
    assert not (tmp_path / "deep" / "a.txt").exists()
    with lock_folder(tmp_path):
        assert [path.name for path in tmp_path.rglob("*.part")] == ["mine.part"]


@row(
    "full disk while writing flow",
    "exit 2, one line; finished clips are kept and no clip is marked as failed; the next run resumes",
)
def test_a_full_disk_ends_the_run_and_marks_no_clip_as_failed(videos, tmp_path, monkeypatch, capsys):
    extract(videos, tmp_path / "whole")
    full = OSError(errno.ENOSPC, "No space left on device")
    with pytest.MonkeyPatch.context() as patch:
        written = []

        def fsync(number: int) -> None:
            written.append(number)
            if len(written) == 6:
                raise full

        patch.setattr(os, "fsync", fsync)
        with pytest.raises(OSError, match="No space left"):
            extract(videos, tmp_path / "flows")
    table = read_samples(tmp_path / "flows")
    assert set(table["status"]) == {"ok", ""}
    assert not list((tmp_path / "flows").rglob("*.part"))
    extract(videos, tmp_path / "flows")
    assert contents(tmp_path / "flows") == contents(tmp_path / "whole")


@row("two runs in one folder", "the second run: exit 2, 'another run is writing into'; the first run is not affected")
def test_a_second_run_in_a_folder_is_refused(videos, tmp_path):
    with lock_folder(tmp_path / "flows"):
        for begin in (extract, lambda *arguments: import_flow(*images(tmp_path), tmp_path / "flows")):
            with pytest.raises(FolderInUse, match="another run is writing into"):
                begin(videos, tmp_path / "flows")
    assert (extract(videos, tmp_path / "flows")["status"] == "ok").all()


@row("killed run that had locked the folder", "the operating system releases the lock; nothing to remove by hand")
def test_a_killed_process_releases_the_lock(tmp_path):
    program = (
        f"from mer.utils.folder_lock import lock_folder\nwith lock_folder({str(tmp_path)!r}):\n"
        " print(1, flush=True)\n input()"
    )
    other = subprocess.Popen([sys.executable, "-c", program], stdin=-1, stdout=-1, cwd=ROOT)
    assert other.stdout.readline() == b"1\n"
    with pytest.raises(FolderInUse), lock_folder(tmp_path):
        pass
    other.kill()
    other.communicate()
    with lock_folder(tmp_path):
        assert (tmp_path / LOCK).exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [({"size": 96}, "size 64, now 96"), ({"method": "dis"}, "method"), ({"stabilize": True}, "stabilize")],
)
@row("other settings for an existing flow folder", "exit 2, names the setting; `--overwrite` starts from scratch")
def test_other_settings_are_never_mixed(videos, tmp_path, change, words):
    extract(videos, tmp_path / "flows")
    before = contents(tmp_path / "flows")
    with pytest.raises(ValueError, match=words):
        extract(videos, tmp_path / "flows", **change)
    assert contents(tmp_path / "flows") == before


@row("other weights of the same network", "exit 2: the SHA-256 differs from that in `run.json`")
def test_other_weights_are_never_mixed(videos, tmp_path, monkeypatch):
    described = {"method": "decflow", "weights": "w.safetensors", "weights_sha256": "a"}
    monkeypatch.setattr("mer.extraction.settings.describe_method", lambda method: described)
    extract(videos, tmp_path / "flows")
    described["weights_sha256"] = "b"
    with pytest.raises(ValueError, match="weights_sha256 'a', now 'b'"):
        extract(videos, tmp_path / "flows")


@row("other videos with the same names", "exit 2, names both folders; a moved video folder is accepted")
def test_flows_of_other_videos_are_never_mixed(videos, tmp_path):
    extract(videos, tmp_path / "flows")
    other = shutil.copytree(videos, tmp_path / "other")
    with pytest.raises(ValueError, match="holds flows of 'videos' from"):
        extract(other, tmp_path / "flows")
    videos.rename(tmp_path / "moved")
    assert (extract(tmp_path / "moved", tmp_path / "flows")["status"] == "ok").all()


@pytest.mark.parametrize("number", [1, 2, 3])
@row("killed at the start of `--overwrite`", "flows of the old settings are never used for the new ones")
def test_a_killed_overwrite_mixes_nothing(videos, tmp_path, number):
    extract(videos, tmp_path / "whole", size=96)
    extract(videos, tmp_path / "flows")
    with pytest.MonkeyPatch.context() as patch:
        kill_at(patch, number)
        patch.setattr(Path, "unlink", UNLINK)
        with pytest.raises(Killed):
            extract(videos, tmp_path / "flows", size=96, overwrite=True)
    extract(videos, tmp_path / "flows", size=96, overwrite=number == 1)  # with 1, run.json is still the old one
    assert contents(tmp_path / "flows") == contents(tmp_path / "whole")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"inputs": 3}', b"\xff\xfe"])
@row("damaged `run.json`", "exit 2: the settings of the flows are unknown; `--overwrite` starts from scratch")
def test_a_damaged_run_json_is_refused(videos, tmp_path, content):
    extract(videos, tmp_path / "flows")
    (tmp_path / "flows" / "run.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"run\.json is damaged"):
        extract(videos, tmp_path / "flows")
    assert (extract(videos, tmp_path / "flows", overwrite=True)["status"] == "ok").all()


@row("flow file truncated, emptied or replaced after the run", "recomputed by the next run")
def test_a_damaged_flow_file_is_recomputed(videos, tmp_path):
    paths = [tmp_path / "flows" / path for path in extract(videos, tmp_path / "flows")["path"]]
    whole = contents(tmp_path / "flows")
    paths[0].write_bytes(paths[0].read_bytes()[:-100])
    paths[1].write_bytes(b"")
    np.savez(paths[2], facial=np.zeros((8, 8, 2), np.float32))
    extract(videos, tmp_path / "flows")
    assert contents(tmp_path / "flows") == whole


@row("path in `samples.csv` that leads out of the folder", "nothing outside the folder is read or removed")
def test_paths_outside_the_folder_are_ignored(videos, tmp_path):
    (tmp_path / "precious.npz").write_bytes(b"mine")
    table = extract(videos, tmp_path / "flows")
    table["path"] = ["../precious.npz", str(tmp_path / "precious.npz"), "C:\\precious.npz", "a/../../precious.npz"]
    write_samples(table, tmp_path / "flows" / "samples.csv")
    read = read_samples(tmp_path / "flows")
    assert (read["status"] == "unreadable").all()
    assert read["message"].str.contains("is outside the folder").all()
    extract(videos, tmp_path / "flows", overwrite=True)
    assert (tmp_path / "precious.npz").read_bytes() == b"mine"


def images(folder: Path) -> tuple[Path, Path]:
    (folder / "images").mkdir(exist_ok=True)
    for name in ("s1_a", "s1_b"):
        cv2.imwrite(str(folder / "images" / f"{name}.png"), np.random.default_rng(0).integers(0, 255, (8, 8, 3)))
    (folder / "table.csv").write_text("subject,clip,label\ns1,a,x\ns1,b,y\n")
    return folder / "images", folder / "table.csv"


@pytest.mark.parametrize("number", [1, 2, 3, 4])
@row("`mer import-flow` killed at any moment", "the next run starts from scratch")
def test_a_killed_import_is_repeated(tmp_path, number):
    import_flow(*images(tmp_path), tmp_path / "whole")
    with pytest.MonkeyPatch.context() as patch:
        kill_at(patch, number)
        with pytest.raises(Killed):
            import_flow(*images(tmp_path), tmp_path / "flows")
    import_flow(*images(tmp_path), tmp_path / "flows")
    assert contents(tmp_path / "flows") == contents(tmp_path / "whole")
    assert json.loads((tmp_path / "flows/run.json").read_text())["size"] == 8


@row(
    "`mer train classifier` killed at any moment",
    "no model or the old one, never a partial one; the next run starts from scratch",
)
def test_a_killed_fit_leaves_a_complete_model_or_none(tmp_path):
    write_drawn_flows(tmp_path / "flows", people=2, clips=3)

    def train(seed: int) -> None:
        train_classifier(tmp_path / "model.npz", "logistic", tmp_path / "flows", seed=seed, workers=1)

    def killed_while_it_writes(seed: int) -> None:
        with pytest.MonkeyPatch.context() as patch:
            kill_at(patch, 1)
            with pytest.raises(Killed):
                train(seed)

    killed_while_it_writes(0)
    assert not (tmp_path / "model.npz").exists()
    train(0)
    model = (tmp_path / "model.npz").read_bytes()
    killed_while_it_writes(1)
    assert (tmp_path / "model.npz").read_bytes() == model
    assert load_model(tmp_path / "model.npz")[1]["seed"] == 0
    train(0)
    assert (tmp_path / "model.npz").read_bytes() == model


@row("Ctrl-C", "exit 130, one line: run the same command again to resume")
def test_ctrl_c_exits_with_130(monkeypatch, capsys):
    def interrupted(*arguments: object, **keywords: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("mer.cli.protocols.find_protocol", interrupted, raising=False)
    monkeypatch.setattr("mer.evaluation.protocols.protocol.find_protocol", interrupted)
    monkeypatch.setattr(sys, "argv", ["mer", "protocols", "loso"])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 130
    assert capsys.readouterr().err == "mer: interrupted; run the same command again to resume\n"


@row("SIGTERM, as from a batch system", "exit 143, one line; temporary files are removed as on Ctrl-C")
def test_sigterm_exits_with_143_and_cleans_up(tmp_path, capsys):
    with pytest.raises(SystemExit) as end, clean_end("mer"), write_whole(tmp_path / "a") as file:
        file.write("half")
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)
    assert end.value.code == 143
    assert capsys.readouterr().err == "mer: terminated; run the same command again to resume\n"
    assert list(tmp_path.iterdir()) == []
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def die(mark: Path, job: int) -> int:
    """Kill the worker process, as the system does when memory runs out: always for job 1, once for job 3."""
    if job == 1 or (job == 3 and not mark.exists()):
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return job * job


@pytest.mark.slow
@row(
    "worker process killed, for example because memory runs out",
    "its clips are retried one by one; a clip that kills its process again is `failed`",
)
def test_a_killed_worker_loses_no_other_job(tmp_path):
    work = partial(die, tmp_path / "mark")
    results = dict(run_jobs(work, list(range(6)), workers=2, died=lambda job: "died"))
    assert results.pop(1) == "died"
    assert results.pop(3) in (9, "died")  # it may have been retried alone when it was killed
    assert results == {0: 0, 2: 4, 4: 16, 5: 25}
    with pytest.raises(WorkerDied, match="memory"):
        list(run_jobs(work, [1, 1], workers=2))


ROWS += [
    Row("interruptions", *cells)
    for cells in (
        (
            "video, onset or apex changed after the run",
            "the next run extracts that clip again; `--verify` compares contents",
            "tests/extraction/test_sources.py",
        ),
        (
            "label, offset, action units or frame rate corrected after the run",
            "in `samples.csv` after the next run, without extraction",
            "tests/extraction/test_sources.py",
        ),
        ("video changed after `mer spot FOLDER`", "the next run spots it again", "tests/spotting/test_spot_dataset.py"),
        ("two runs of any command with the same output", "the second run: exit 2", "tests/cli/test_locks.py"),
        ("Ctrl-C while the program starts", "exit 130, one line", "tests/utils/test_shutdown.py"),
        (
            "`mer evaluate` killed at any moment",
            "the next run resumes at a fold",
            "tests/evaluation/test_fold_cache.py",
        ),
        ("`mer synth` killed at any moment", BYTES, "tests/synth/test_flow_dataset.py"),
        (
            "`mer train decflow` killed at any moment",
            "`--resume` continues, bit for bit",
            "tests/decflow/test_training_loop.py",
        ),
    )
]
