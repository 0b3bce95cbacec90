"""One run at a time in a folder, whichever command writes into it."""

from __future__ import annotations

from pathlib import Path

import pytest

from mer.utils.atomic_files import LOCK, write_whole
from mer.utils.folder_lock import FolderInUse, lock_file, lock_folder


def test_a_second_run_in_a_folder_is_refused(tmp_path):
    with lock_folder(tmp_path / "a"):
        with (
            pytest.raises(FolderInUse, match=r"another run is writing into .*a; wait until it ends"),
            lock_folder(tmp_path / "a"),
        ):
            pass
        with lock_folder(tmp_path / "b"):
            pass


def test_a_folder_that_stays_empty_is_removed_again(tmp_path):
    with pytest.raises(RuntimeError), lock_folder(tmp_path / "deep" / "a"):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "mine").mkdir()
    with lock_folder(tmp_path / "mine"):
        pass
    assert (tmp_path / "mine").is_dir()


def test_only_leftovers_of_this_folder_are_removed(tmp_path):
    for name in ("a", "deep/a", "other/a"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).with_name(".mer-1-2.part").touch()
    (tmp_path / "other" / LOCK).touch()
    (tmp_path / "download.part").touch()
    with lock_folder(tmp_path):
        left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.part")}
    assert left == {"other/.mer-1-2.part", "download.part"}


def test_two_files_of_a_folder_can_be_written_at_once(tmp_path):
    a, b = tmp_path / "a.npz", tmp_path / "b.npz"
    with lock_file(a):
        with lock_file(b):
            b.touch()
        with pytest.raises(FolderInUse, match=r"another run is writing .*a\.npz; .* choose another file"), lock_file(a):
            pass
    assert [path.name for path in tmp_path.iterdir()] == ["b.npz"]


def test_only_leftovers_of_this_file_are_removed(tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "unlink", lambda self, missing_ok=False: None)
    for name in "ab":
        with pytest.raises(RuntimeError), write_whole(tmp_path / name):
            raise RuntimeError
    monkeypatch.undo()
    assert len(list(tmp_path.glob("*.part"))) == 2
    with lock_file(tmp_path / "a"):
        assert len(list(tmp_path.glob("*.part"))) == 1
        with lock_file(tmp_path / "b"), lock_folder(tmp_path):
            pass
        assert not list(tmp_path.glob("*.part"))


def test_a_folder_lock_leaves_files_that_other_runs_write(tmp_path):
    with lock_file(tmp_path / "model.npz"), write_whole(tmp_path / "model.npz") as file:
        file.write("half")
        with lock_folder(tmp_path):
            pass
    assert (tmp_path / "model.npz").read_text() == "half"
