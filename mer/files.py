"""Files that are complete or absent: written beside their place, then moved into it in one step."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any


@contextmanager
def write_whole(path: str | Path, mode: str = "w") -> Iterator[IO]:
    """Open a file that appears at `path` when the block ends well, and not at all when it does not.

    Parameters
    ----------
    path : str or Path
        Where the file will stand. Its folder is made if need be; an older file there is replaced.
    mode : {"w", "wb"}
        Text is UTF-8 with plain line feeds, so that the bytes are the same on every system.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    text = {} if "b" in mode else {"encoding": "utf-8", "newline": "\n"}
    try:
        with open(part, mode, **text) as file:  # type: ignore[call-overload]
            yield file
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def write_json(path: str | Path, value: Any) -> None:
    """Write `value` as indented JSON, whole or not at all."""
    with write_whole(path) as file:
        json.dump(value, file, indent=2, ensure_ascii=False)
        file.write("\n")
