"""Files that are complete or absent: written under a temporary name, then renamed in one step.

Kept by hand: `atomicwrites` is no longer maintained, and its temporary files cannot be recognized and removed after a
killed run.
"""

import hashlib
import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

LOCK = ".mer.lock"  # in a folder that a run has locked (mer.utils.folder_lock)


@contextmanager
def write_whole(path: str | Path, mode: str = "w") -> Iterator[IO]:
    """Open a file that appears at `path` if the block succeeds, and leaves no trace if it fails.

    The content reaches the disk before the file gets its name: a full disk raises here, and after a power failure there
    is either the old file or the new one.

    Parameters
    ----------
    path : str or Path
        Where to write. Missing folders are created; an existing file is replaced.
    mode : {"w", "wb"}
        Text is UTF-8 with plain line feeds, so that the bytes are the same on every system.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(temporary_name(path, f"{uuid.uuid4().hex}.part"))
    text = {} if "b" in mode else {"encoding": "utf-8", "newline": "\n"}
    try:
        with open(part, mode, **text) as file:  # type: ignore[call-overload]
            yield file
            if not file.closed:
                file.flush()
                os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def write_json(path: str | Path, value: Any) -> None:
    """Write `value` as indented JSON with :func:`write_whole`."""
    with write_whole(path) as file:
        json.dump(value, file, indent=2, ensure_ascii=False)
        file.write("\n")


def temporary_name(path: Path, ending: str) -> str:
    """The name of a temporary file that belongs to `path`: short, since file names have at most 255 bytes."""
    return f".mer-{hashlib.sha256(os.fsencode(path.name)).hexdigest()[:8]}-{ending}"


def remove_parts(path: str | Path) -> None:
    """Remove the temporary files that a killed run left in a folder and below it, or beside a single file.

    Call it only with the lock on `path` (:mod:`mer.utils.folder_lock`). Subfolders and files with a lock of their own
    are skipped: they belong to other runs, which may still be writing.
    """
    path = Path(path)
    if not path.is_dir():
        parts = list(path.parent.glob(temporary_name(path, "*.part")))
    else:
        parts = []
        for folder, subfolders, names in os.walk(path):
            subfolders[:] = [name for name in subfolders if not os.path.exists(os.path.join(folder, name, LOCK))]
            own = [name for name in names if name.startswith(".mer-")]
            locked = {name.removesuffix("lock") for name in own if name.endswith("-lock")}
            parts += [Path(folder, name) for name in own if name.endswith(".part") and name[:14] not in locked]
    for part in parts:
        part.unlink(missing_ok=True)
