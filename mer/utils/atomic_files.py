"""Files that are complete or absent: written beside their place, then moved into it in one step."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

_PART = ".mer-{}.part"  # short, whatever the file is called: names have at most 255 bytes


@contextmanager
def write_whole(path: str | Path, mode: str = "w") -> Iterator[IO]:
    """Open a file that appears at `path` when the block ends well, and not at all when it does not.

    The content is on the disk before the file gets its name: a disk that is full says so here, and a power failure
    leaves the old file or the new one.

    Parameters
    ----------
    path : str or Path
        Where the file will stand. Its folder is made if need be; an older file there is replaced.
    mode : {"w", "wb"}
        Text is UTF-8 with plain line feeds, so that the bytes are the same on every system.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(_PART.format(uuid.uuid4().hex))
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
    """Write `value` as indented JSON, whole or not at all."""
    with write_whole(path) as file:
        json.dump(value, file, indent=2, ensure_ascii=False)
        file.write("\n")


def remove_parts(folder: str | Path) -> int:
    """Remove what a run that was killed left unfinished in a folder and below it; returns how many files.

    Only for one who holds the folder's lock (:mod:`mer.utils.folder_lock`): a part may be another run's work.
    """
    parts = list(Path(folder).rglob(_PART.format("*")))
    for part in parts:
        part.unlink(missing_ok=True)
    return len(parts)
