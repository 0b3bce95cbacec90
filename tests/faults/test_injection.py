"""Every file operation fails once: `open`, `write`, `fsync` and `replace`, each with another error, one per run.

After each failure the files that were complete are intact, and the same run, repeated, ends with the same bytes. SQLite
tests its commits in this way (https://www.sqlite.org/testing.html, section 3.2).
"""

from __future__ import annotations

import builtins
import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest

from mer.datasets.samples import read_samples
from mer.evaluation.evaluate_folder import evaluate
from mer.evaluation.train_classifier import train_classifier
from mer.extraction.extract import extract_flow
from mer.extraction.import_flow import import_flow
from tests.drawn_flows import write_drawn_flows
from tests.extraction.test_extract import still
from tests.faults.test_clips import frames, seen

ERRORS: tuple[Callable[[], BaseException], ...] = (
    lambda: OSError(errno.ENOSPC, "No space left on device"),
    lambda: OSError(errno.EIO, "Input/output error"),
    lambda: OSError(errno.EMFILE, "Too many open files"),
    MemoryError,
)


class Disk:
    """Counts the operations on files below `folder`, and lets one of them fail."""

    def __init__(self, folder: Path, failing: int = 0) -> None:
        self.folder, self.failing, self.count = str(folder), failing, 0

    def operation(self) -> None:
        self.count += 1
        if self.count == self.failing:
            raise ERRORS[self.failing % len(ERRORS)]()


class FailingFile:
    """A file whose writes are operations of the disk."""

    def __init__(self, file: Any, disk: Disk) -> None:
        self._file, self._disk = file, disk

    def write(self, data: Any) -> int:
        self._disk.operation()
        return self._file.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> FailingFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


@contextmanager
def watched(disk: Disk) -> Iterator[None]:
    """Route the file operations of this process through `disk`."""
    real_open, real_fsync, real_replace = builtins.open, os.fsync, os.replace

    def opened(file: Any, mode: str = "r", *args: Any, **options: Any) -> Any:
        writes = isinstance(file, (str, os.PathLike)) and str(file).startswith(disk.folder) and mode[:1] in "wax"
        if not writes:
            return real_open(file, mode, *args, **options)
        disk.operation()
        return FailingFile(real_open(file, mode, *args, **options), disk)

    def synced(descriptor: int) -> None:
        disk.operation()
        real_fsync(descriptor)

    def replaced(source: Any, target: Any) -> None:
        disk.operation()
        real_replace(source, target)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(builtins, "open", opened)
        patch.setattr(os, "fsync", synced)
        patch.setattr(os, "replace", replaced)
        yield


def complete_files(folder: Path) -> dict[str, bytes]:
    """Content of every file but locks; a temporary file has no place in a folder after a run."""
    paths = [path for path in folder.rglob("*") if path.is_file() and path.name != ".mer.lock"]
    assert [path for path in paths if path.name.endswith(".part")] == []
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def extraction(source: Path) -> Callable[[Path], object]:
    for name in "ab":
        frames(("1", "2"))(source / "videos" / "al" / name)
    (source / "videos" / "labels.csv").write_text("subject,clip,apex\nal,a,2\nal,b,2\n")
    return lambda out: extract_flow(source / "videos", out, method=still, size=64)


def importing(source: Path) -> Callable[[Path], object]:
    (source / "images").mkdir()
    rng = np.random.default_rng(0)
    for name in "ab":
        cv2.imwrite(str(source / f"images/p1_{name}.png"), rng.integers(0, 255, (28, 28, 3), dtype=np.uint8))
    pd.DataFrame({"subject": "p1", "clip": ["a", "b"], "label": ["x", "y"]}).to_csv(source / "t.csv", index=False)
    return lambda out: import_flow(source / "images", source / "t.csv", out)


def evaluation(source: Path) -> Callable[[Path], object]:
    write_drawn_flows(source / "flows", people=3, clips=3)
    return lambda out: evaluate(source / "flows", model="svm-linear", keep=out / ".folds").save(out)


def training(source: Path) -> Callable[[Path], object]:
    write_drawn_flows(source / "flows", people=3, clips=3)
    return lambda out: train_classifier(out / "model.npz", "svm-linear", source / "flows")


@pytest.mark.slow
@pytest.mark.parametrize("prepare", [extraction, importing, evaluation, training])
def test_each_file_operation_may_fail(
    prepare: Callable[[Path], Callable[[Path], object]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mer.extraction.expression.detect_faces", seen)
    source = tmp_path / "source"
    source.mkdir()
    run = prepare(source)
    disk = Disk(tmp_path / "out")
    with watched(disk):
        run(tmp_path / "out")
    whole = complete_files(tmp_path / "out")
    assert disk.count >= 4
    # All operations of short runs, and about 40 of longer ones.
    for failing in range(1, disk.count + 1, max(1, disk.count // 40)):
        out = tmp_path / f"out{failing}"
        with watched(Disk(out, failing)), pytest.raises((OSError, MemoryError)):
            run(out)
        kept = complete_files(out)
        assert {name for name in kept if _fixed(name) and kept[name] != whole.get(name)} <= {"samples.csv"}, failing
        if "samples.csv" in kept:  # lists the clips that were done
            assert len(read_samples(out)) == 2, failing
        run(out)
        again = complete_files(out)
        assert again.keys() == whole.keys(), failing
        assert {name for name in whole if _fixed(name) and again[name] != whole[name]} == set(), failing


def _fixed(name: str) -> bool:
    """Whether the bytes of a file do not depend on the folder, which these three name."""
    return name not in {"run.json", "scores.json", "report.html"}
