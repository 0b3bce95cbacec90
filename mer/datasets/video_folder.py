"""Reads a folder of videos, `VIDEOS/<subject>/<clip>`, with optional labels, into a samples table.

A clip is a video file or a folder of numbered pictures; the label file is that of :mod:`mer.datasets.label_file`.
"""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from mer.datasets.label_file import Key, check_unique, find_labels, match_clips, read_labels, similar_to_labels
from mer.datasets.samples import KEY, conform
from mer.datasets.tables import SamplesError
from mer.datasets.video import IMAGE_SUFFIXES, VIDEO_SUFFIXES, ClipError, frame_files

DATASET = "videos"  # the dataset if the labels name none
LISTED = 5  # ignored files in a message
DEPTH = 8  # levels that are searched for clips in other places
SYSTEM_FILES = ("thumbs.db", "desktop.ini", "note.txt")


def list_clips(videos: str | Path, annotations: str | Path | None = None) -> pd.DataFrame:
    """The samples table of a folder of videos, or of a single video; no frame is decoded.

    Warns of files that are neither clips nor labels.

    Parameters
    ----------
    videos : str or Path
        `VIDEOS/<subject>/<clip>.mp4` (or any container that FFmpeg reads), `VIDEOS/<subject>/<clip>/<frames>`, or one
        clip. A clip directly in `VIDEOS` is a separate person, unless the labels name its subject.
    annotations : str or Path, optional
        The label file; by default `VIDEOS/labels.csv`, if it exists.

    Returns
    -------
    DataFrame
        The samples table, sorted by dataset, subject, clip and onset, with two more columns: `source`, the path of the
        clip, and `kind`, as in the labels. Labeled clips that do not exist have the status `missing_clip`, clips one
        folder too deep and folders of pictures without numbers `unreadable`; unlabeled clips have a blank label.

    Raises
    ------
    FileNotFoundError
        If `videos` or `annotations` does not exist.
    SamplesError
        If there is no clip in the folder, or the label file cannot be used.
    """
    videos = Path(videos)
    if not videos.exists():
        raise FileNotFoundError(f"{videos} does not exist; give a folder of videos, or one video")
    found = _find(videos)
    if annotations is None:
        annotations = find_labels(videos)
    labels = read_labels(annotations)
    if not found.clips and not set(zip(labels["subject"], labels["clip"])) & set(found.misplaced):
        misplaced = [f"; {path}: {reason}" for path, reason in found.misplaced.values()]
        raise SamplesError(
            f"no videos in {videos}; expected {videos}/<subject>/<clip>.mp4, or folders of numbered pictures"
            + (misplaced[0] if misplaced else "")
        )
    tables = {Path(annotations).resolve()} if annotations else set()
    tables |= {file.resolve() for file in similar_to_labels(videos)}
    ignored = [path for path in found.ignored if path.resolve() not in tables]
    if ignored:
        names = ", ".join(path.relative_to(videos).as_posix() for path in ignored[:LISTED])
        more = f" and {len(ignored) - LISTED} more" if len(ignored) > LISTED else ""
        warnings.warn(f"{videos}: neither clips nor labels, so ignored: {names}{more}", stacklevel=2)
    rows = _join(labels, found)
    if annotations is not None:
        check_unique(rows, annotations)
    table = conform(rows)
    table["source"] = rows["source"].to_numpy()
    table["kind"] = rows["kind"].fillna("").map(str.casefold).to_numpy() if "kind" in rows else ""
    return table.sort_values(KEY, kind="stable", na_position="first").reset_index(drop=True)


@dataclass
class _Found:
    """The content of a folder.

    `clips`: `(subject, clip)` -> its paths, several if files differ only in their suffix. `misplaced`: path and
    reason of what looks like a clip, but is not used unless the labels name it. `ignored`: other files.
    """

    clips: dict[Key, list[Path]] = field(default_factory=dict)
    misplaced: dict[Key, tuple[Path, str]] = field(default_factory=dict)
    ignored: list[Path] = field(default_factory=list)


def _find(videos: Path) -> _Found:
    found = _Found()
    if _is_clip(videos):
        found.clips[videos.stem.strip(), videos.stem.strip()] = [videos]
        return found
    if videos.is_file():
        raise SamplesError(
            f"{videos} is neither a folder nor a video, which ends in {', '.join(sorted(VIDEO_SUFFIXES))}"
        )
    for entry in _entries(videos):
        if _is_clip(entry) and not any(map(_is_video, _entries(entry))):  # a photo of a person beside its videos
            found.clips.setdefault((entry.stem.strip(), entry.stem.strip()), []).append(entry)
            _search_below(found, videos, entry, f"is inside {entry.name}, itself a clip of numbered pictures")
        elif entry.is_dir():
            for clip in _entries(entry):
                if _is_clip(clip):
                    name = clip.stem if clip.is_file() else clip.name
                    found.clips.setdefault((entry.name.strip(), name.strip()), []).append(clip)
                _search_below(found, videos, clip, "is one folder too deep")
                if not _is_clip(clip) and clip.is_file():
                    found.ignored.append(clip)
        else:
            found.ignored.append(entry)
    return found


def _entries(folder: Path) -> list[Path]:
    """The files and folders in a folder, without hidden ones and those of the system; unreadable folders are empty."""
    try:
        names = sorted(folder.iterdir())
    except OSError:  # also of a file
        return []
    return [e for e in names if not e.name.startswith((".", "~$", "__MACOSX")) and e.name.lower() not in SYSTEM_FILES]


def _search_below(found: _Found, videos: Path, folder: Path, reason: str, above: tuple[str, ...] = ()) -> None:
    """Add the clips below a folder to those that are misplaced, and other files to those that are ignored."""
    real = os.path.realpath(folder)
    if not folder.is_dir() or real in above or len(above) > DEPTH:
        return
    above = (*above, os.path.realpath(videos), os.path.realpath(folder.parent), real)
    is_clip = _is_clip(folder)
    pictures = False
    for entry in _entries(folder):
        if entry.is_dir():
            if os.path.realpath(entry) in above:
                continue
            if _is_clip(entry):
                _misplace(found, videos, entry, reason)
            _search_below(found, videos, entry, reason, above)
        elif _is_video(entry):
            _misplace(found, videos, entry, reason)
        elif is_clip:
            continue  # a frame, or a file beside the frames
        elif entry.suffix.lower() in IMAGE_SUFFIXES:
            pictures = True
        else:
            found.ignored.append(entry)
    if pictures:
        _misplace(found, videos, folder, "has pictures without a number in their names")


def _misplace(found: _Found, videos: Path, path: Path, reason: str) -> None:
    subject, *rest = path.relative_to(videos).parts
    name = "/".join(rest) if path.is_dir() else "/".join([*rest[:-1], path.stem])
    what = f"{path.relative_to(videos).as_posix()} {reason}"
    where = "" if "number" in reason and "inside" not in reason else "; move it to <subject>/<clip>"
    found.misplaced.setdefault((subject.strip(), name.strip()), (path, f"{what}{where}"))


def _is_clip(path: Path) -> bool:
    try:
        if path.is_file():
            return _is_video(path)
        frames = frame_files(path) if path.is_dir() else {}
        return bool(frames) and not _is_video(next(iter(frames.values())))
    except (ClipError, OSError):  # two pictures with one number, or no permission: reported when the clip is opened
        return True


def _is_video(path: Path) -> bool:
    """Whether a file is a video by its name; a GIF is one if it is animated, else a picture."""
    suffix = path.suffix.lower()
    if suffix != ".gif":
        return suffix in VIDEO_SUFFIXES and path.is_file()
    import cv2

    return cv2.imcount(str(path)) > 1


def _join(labels: pd.DataFrame, found: _Found) -> pd.DataFrame:
    rows = []
    matches = match_clips(labels, {**found.clips, **found.misplaced}.keys())
    for i, label in enumerate(labels.to_dict("records")):
        key, hint = matches[i]
        paths = [] if key is None else found.clips.get(key) or [found.misplaced[key][0]]
        row = {**label, **_source(paths, hint)}
        if key is not None:
            row["clip"] = key[1]
            if key[0] != key[1] or label["subject"] == "":  # else directly in VIDEOS: the labels name the subject
                row["subject"] = key[0]
        if row.pop("fault") and not row["status"]:
            row |= {"status": "bad_annotation", "message": label["fault"]}
        rows.append(row)
    labeled = {key for key, _ in matches.values()}
    for (subject, clip), paths in found.clips.items():
        if (subject, clip) not in labeled:
            rows.append({"subject": subject, "clip": clip, **_source(paths)})
    for (subject, clip), (path, reason) in found.misplaced.items():
        if (subject, clip) not in labeled:
            row = {"subject": subject, "clip": clip, "source": str(path), "status": "unreadable", "message": reason}
            rows.append(row)
    table = pd.DataFrame(rows)
    dataset = table["dataset"] if "dataset" in table else pd.Series([""] * len(table))
    table["dataset"] = dataset.fillna("").replace("", DATASET)
    return table


def _source(paths: list[Path], hint: str = "") -> dict[str, str]:
    if not paths:
        return {"source": "", "status": "missing_clip", "message": f"labeled, but not in the folder{hint}"}
    if len(paths) > 1:
        names = " and ".join(path.name for path in paths)
        return {"source": str(paths[0]), "status": "unreadable", "message": f"{names} have the same name; rename one"}
    return {"source": str(paths[0]), "status": "", "message": ""}
