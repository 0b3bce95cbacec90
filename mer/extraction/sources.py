"""`.mer-sources.csv` in a folder of results: what each clip was made from, so that the next run sees what has changed.

One row per clip. `size` (bytes) and `mtime` (nanoseconds) are those of the video file. For a folder of frames, they are
the sum and the latest, and `listing` is a hash of all names, sizes and times. `sha256` is that of the content, if a run
was asked to verify it. `apex`, `offset` and `fps` are the labels.
"""

import hashlib
from pathlib import Path
from typing import Any

import pandas as pd

from mer.datasets.video import ClipError, frame_files
from mer.utils.atomic_files import write_whole
from mer.utils.progress import Track

NAME = ".mer-sources.csv"
FILE_STATE = ("size", "mtime", "listing")
LABELS = ("apex", "offset", "fps")
COLUMNS = [*FILE_STATE, "sha256", *LABELS]
Source = dict[str, str]  # a row, without its path


def read_sources(folder: Path) -> dict[str, Source]:
    """Path -> source at the time of the last run; empty if there is no record."""
    file = folder / NAME
    if not file.is_file():
        return {}
    try:
        table = pd.read_csv(file, dtype=str, keep_default_na=False, index_col="path")
    except ValueError as error:
        raise ValueError(
            f"{file} is damaged ({error}); remove it to accept the results in {folder} as they are"
        ) from error
    return table.reindex(columns=[*FILE_STATE, "sha256", *LABELS], fill_value="").to_dict("index")


def write_sources(folder: Path, sources: dict[str, Source]) -> None:
    table = pd.DataFrame.from_dict(sources, orient="index", columns=COLUMNS)
    with write_whole(folder / NAME) as file:
        table.sort_index().to_csv(file, index_label="path", lineterminator="\n")


def find_sources(
    rows: list[dict[str, Any]], recorded: dict[str, Source], verify: bool, track: Track
) -> dict[str, Source]:
    """Path -> source now, of rows with a `path`, a `source` and labels.

    The content is read with `verify`, or if it was recorded and the file's size or time has changed.
    """
    states: dict[str, Source] = {}  # several expressions may be in one clip
    hashes: dict[str, str] = {}
    sources = {}
    for row in track(rows, len(rows), "verifying") if verify else rows:
        source, was = str(row["source"]), recorded.get(row["path"], {})
        if source not in states:
            states[source] = _state(Path(source))
        state = states[source]
        same = all(was.get(name) == state[name] for name in FILE_STATE)
        sha256 = was.get("sha256", "") if same else ""
        if verify or (was.get("sha256") and not same):
            if source not in hashes:
                hashes[source] = content_hash(Path(source)) if state["size"] else ""
            sha256 = hashes[source]
        sources[row["path"]] = state | {"sha256": sha256} | labels_of(row)
    return sources


def labels_of(row: dict[str, Any]) -> Source:
    return {name: "" if pd.isna(row[name]) else str(row[name]) for name in LABELS}


def is_same(source: Source, recorded: Source) -> bool:
    """Whether the files have not changed: their content if both are known, else size and time."""
    names = ("sha256",) if source["sha256"] and recorded["sha256"] else FILE_STATE
    return all(source[name] == recorded[name] for name in names)


def _state(source: Path) -> Source:
    try:
        files = list(frame_files(source).values()) if source.is_dir() else [source]
        stats = [file.stat() for file in files]
    except (ClipError, OSError):  # reported when the clip is opened
        return dict.fromkeys(FILE_STATE, "")
    lines = [f"{file.name} {stat.st_size} {stat.st_mtime_ns}\n" for file, stat in zip(files, stats)]
    return {
        "size": str(sum(stat.st_size for stat in stats)),
        "mtime": str(max((stat.st_mtime_ns for stat in stats), default="")),
        "listing": hashlib.sha256("".join(lines).encode(errors="replace")).hexdigest()[:16] if source.is_dir() else "",
    }


def content_hash(video: Path) -> str:
    """SHA-256 of a file, or of the files of a folder one after the other."""
    digest = hashlib.sha256()
    for path in [video] if video.is_file() else sorted(path for path in video.iterdir() if path.is_file()):
        with open(path, "rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()
