"""Locks that keep two runs from writing into one folder at the same time."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from mer.utils.atomic_files import LOCK, remove_parts, temporary_name


class FolderInUse(OSError):
    """Another run is writing into the folder."""


@contextmanager
def lock_folder(folder: str | Path) -> Iterator[None]:
    """Hold `folder` for this run, and remove the temporary files that a killed run left in it.

    A missing folder is created, and removed again if the run writes nothing. The operating system releases the lock
    when the process ends, however it ends; the lock file `.mer.lock` stays and does no harm.

    Raises
    ------
    FolderInUse
        If another run holds the folder, in this process or another, or on another machine whose file system shares
        locks with this one.
    """
    folder = Path(folder)
    created = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    with _hold(folder / LOCK, folder):
        try:
            remove_parts(folder)
            yield
        finally:
            if created and is_empty(folder):
                with suppress(OSError):  # Windows keeps a lock file that is open
                    (folder / LOCK).unlink()
                    for path in created:
                        path.rmdir()


@contextmanager
def lock_file(file: str | Path) -> Iterator[None]:
    """Hold one output file as :func:`lock_folder` holds a folder; other runs may write other files beside it."""
    file = Path(file)
    file.parent.mkdir(parents=True, exist_ok=True)
    lock = file.with_name(temporary_name(file, "lock"))
    with _hold(lock, file):
        try:
            remove_parts(file)
            yield
        finally:
            with suppress(OSError):
                lock.unlink()


@contextmanager
def _hold(lock_path: Path, target: Path) -> Iterator[None]:
    lock = FileLock(lock_path, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        choose = "another file" if target != lock_path.parent else "another folder"
        into = "" if target != lock_path.parent else "into "
        raise FolderInUse(f"another run is writing {into}{target}; wait until it ends, or choose {choose}") from None
    except NotImplementedError:
        warnings.warn(f"the file system of {target} has no locks; write there with one run at a time", stacklevel=6)
        yield
        return
    try:
        yield
    finally:
        lock.release()


def is_empty(folder: Path) -> bool:
    """Whether a folder is missing or holds nothing but lock files and temporary files."""
    return not folder.exists() or all(entry.name.startswith(".mer") for entry in folder.iterdir())
