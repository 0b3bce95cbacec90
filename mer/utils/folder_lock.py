"""One run at a time in a folder: two that write into it at once would mix their work."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from mer.utils.atomic_files import remove_parts

LOCK = ".mer.lock"  # stays in the folder; the system holds the lock, and lets go of it when the process ends


class FolderInUse(OSError):
    """Another run writes into the folder."""


@contextmanager
def only_run(folder: str | Path) -> Iterator[None]:
    """Hold `folder` for this run; what an earlier one left unfinished in it is removed.

    The folder is made if need be. The lock goes with the process, however it ends, and works between machines where
    the file system's locks do.

    Raises
    ------
    FolderInUse
        Where another run holds it, in this process or in another.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise FolderInUse(
            f"another run is writing into {folder}; wait until it ends, or choose another folder"
        ) from None
    except NotImplementedError:
        warnings.warn(f"{folder}: its file system has no locks; let one run at a time write there", stacklevel=4)
        yield
        return
    try:
        remove_parts(folder)
        yield
    finally:
        lock.release()


def is_empty(folder: Path) -> bool:
    """Whether there is nothing in the folder but what a run that came to nothing leaves, or no such folder."""
    return not folder.exists() or all(entry.name.startswith(".mer") for entry in folder.iterdir())
