"""Finds folders of frames by the names of the folders, wherever they are in a copy of a database."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from mer.datasets.samples import SamplesError
from mer.datasets.video import IMAGE_SUFFIXES

DEPTH = 8  # levels below the root that are searched


class Place(NamedTuple):
    """The clip in a folder. `clip` is in lower case; `onset` is None if the folder holds the whole clip."""

    subject: str
    clip: str
    onset: int | None = None


# The names in a path, starting with the root's own -> the clip in it; None or ValueError if the names do not say.
Identify = Callable[[tuple[str, ...]], Place | None]


@dataclass(frozen=True)
class Frames:
    """The folders of frames in a copy.

    Attributes
    ----------
    folders : dict
        Place -> folder.
    used : str
        The folder that contains them, relative to the root.
    others : list of str
        Other versions of the same clips, which are ignored: `Cropped` beside the raw frames.
    unknown : list of str
        Folders of pictures whose names do not identify a clip.
    """

    folders: dict[Place, Path]
    used: str
    others: list[str]
    unknown: list[str]


def find_frames(root: Path, identify: Identify, prefer: tuple[str, ...] = (), skip: str = "") -> Frames:
    """Search `root` for folders of numbered pictures.

    Parameters
    ----------
    root : Path
    identify : function
        The names in a path -> the clip in it. Blanks at the ends of the names are removed first.
    prefer : tuple of str
        Regular expressions for relative paths in lower case, the best first. If a copy holds several versions of its
        frames, only the first that matches is used, so that versions are never mixed.
    skip : str
        Regular expression for relative paths in lower case that are ignored.

    Raises
    ------
    SamplesError
        If two folders hold the same clip in the version that is used.
    """
    versions: dict[int, dict[Place, Path]] = {}
    duplicates: dict[int, tuple[Place, Path, Path]] = {}
    unknown: list[str] = []
    for folder in _picture_folders(root, 0, set()):
        relative = folder.relative_to(root)
        name = lower_case(relative.as_posix())
        if skip and re.search(skip, name):
            continue
        try:
            place = identify(tuple(part.strip() for part in (root.absolute().name, *relative.parts)))
        except ValueError:
            place = None
        if place is None:
            unknown.append(relative.as_posix())
            continue
        place = place._replace(clip=place.clip.casefold())
        rank = next((i for i, pattern in enumerate(prefer) if re.search(pattern, name)), len(prefer))
        first = versions.setdefault(rank, {}).setdefault(place, folder)
        if first != folder:
            duplicates.setdefault(rank, (place, first, folder))
    if not versions:
        return Frames({}, "", [], unknown)
    best = min(versions)
    if best in duplicates:
        place, *both = duplicates[best]
        one, other = (path.relative_to(root).as_posix() for path in both)
        raise SamplesError(
            f"{root}: two folders hold {place.subject}/{place.clip}: {one} and {other}; "
            "give the folder that holds one of them, or remove one"
        )
    others = [_common(root, folders) for rank, folders in sorted(versions.items()) if rank != best]
    return Frames(versions[best], _common(root, versions[best]), others, unknown)


def lower_case(name: str) -> str:
    """The name of a file or folder as patterns expect it: lower case, special characters as plain ones.

    >>> lower_case("CASMEⅡ/CAS(ME)²")
    'casmeii/cas(me)2'
    """
    return unicodedata.normalize("NFKC", name).casefold()


def _picture_folders(folder: Path, depth: int, above: set[str]) -> Iterator[Path]:
    """Folders of numbered pictures, and unreadable folders; `above` holds the folders on the path to this one."""
    real = os.path.realpath(folder)
    if depth > DEPTH or real in above:  # a link to a folder above
        return
    below, pictures = [], False
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith((".", "__MACOSX")):
                    continue
                if entry.is_dir():
                    below.append(entry.name)
                elif not pictures:
                    stem, suffix = os.path.splitext(entry.name)
                    pictures = suffix.lower() in IMAGE_SUFFIXES and re.search(r"\d", stem) is not None
    except OSError:
        if not depth:
            raise
        pictures = True  # perhaps; the error is reported for its clip, when its frames are listed
    if pictures:
        yield folder
    for name in sorted(below):
        yield from _picture_folders(folder / name, depth + 1, above | {real})


def _common(root: Path, folders: dict[Place, Path]) -> str:
    parents = {str(path.parent) for path in folders.values()}
    return Path(os.path.relpath(os.path.commonpath(parents), root)).as_posix()


def by_parent(subject: Callable[[str], str], clip: str = r".+") -> Identify:
    """Identify `.../<subject>/<clip>/`, if the clip's name matches the regular expression `clip`."""

    def identify(parts: tuple[str, ...]) -> Place | None:
        if len(parts) < 2 or not re.fullmatch(clip, parts[-1], re.IGNORECASE):
            return None
        return Place(subject(parts[-2]), parts[-1])

    return identify


def by_name(owner: Callable[[str], str | None]) -> Identify:
    """Identify folders whose name contains the person, as returned by `owner`."""

    def identify(parts: tuple[str, ...]) -> Place | None:
        subject = owner(parts[-1])
        return Place(subject, parts[-1]) if subject else None

    return identify
