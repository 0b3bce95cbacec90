"""Folders of frames, found by what they are called and not by where they should be."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from mer.datasets.samples import SamplesError
from mer.datasets.video import IMAGE_SUFFIXES

DEPTH = 8  # levels below the root


class Place(NamedTuple):
    """Whose frames a folder holds. `clip` is in lower case; `onset` is None where the folder holds the whole clip."""

    subject: str
    clip: str
    onset: int | None = None


# The names of a path, from the root's own on -> whose frames these are; None or ValueError if they don't say.
Identify = Callable[[tuple[str, ...]], Place | None]


@dataclass(frozen=True)
class Frames:
    """The folders of frames of a copy.

    Attributes
    ----------
    folders : dict
        Place -> folder.
    used : str
        Where these folders lie, relative to the root.
    others : list of str
        Second versions of the same clips, which were left alone: `Cropped` beside the raw frames.
    strange : list of str
        Folders of pictures whose names don't say whose they are.
    """

    folders: dict[Place, Path]
    used: str
    others: list[str]
    strange: list[str]


def find_frames(root: Path, identify: Identify, prefer: tuple[str, ...] = (), skip: str = "") -> Frames:
    """Look through `root` for folders of numbered pictures.

    Parameters
    ----------
    root : Path
    identify : function
        The names of a path -> whose frames these are.
    prefer : tuple of str
        Regular expressions for relative paths, in lower case: where a copy holds several versions of its frames, the
        first that matches is used, and no other, so that versions are never mixed.
    skip : str
        A regular expression for relative paths that are none of our business.

    Raises
    ------
    SamplesError
        If a clip is there twice in the version that is used.
    """
    versions: dict[int, dict[Place, Path]] = {}
    twins: dict[int, tuple[Place, Path, Path]] = {}
    strange: list[str] = []
    for folder in _picture_folders(root, 0, set()):
        relative = folder.relative_to(root)
        name = relative.as_posix().lower()
        if skip and re.search(skip, name):
            continue
        try:
            place = identify((root.absolute().name, *relative.parts))
        except ValueError:
            place = None
        if place is None:
            strange.append(relative.as_posix())
            continue
        place = place._replace(clip=place.clip.casefold())
        rank = next((i for i, pattern in enumerate(prefer) if re.search(pattern, name)), len(prefer))
        twin = versions.setdefault(rank, {}).setdefault(place, folder)
        if twin != folder:
            twins.setdefault(rank, (place, twin, folder))
    if not versions:
        return Frames({}, "", [], strange)
    best = min(versions)
    if best in twins:
        place, *both = twins[best]
        first, second = (path.relative_to(root).as_posix() for path in both)
        raise SamplesError(
            f"{root}: two folders hold {place.subject}/{place.clip}: {first} and {second}; "
            "give the folder that holds one of them, or remove one"
        )
    others = [_common(root, folders) for rank, folders in sorted(versions.items()) if rank != best]
    return Frames(versions[best], _common(root, versions[best]), others, strange)


def _picture_folders(folder: Path, depth: int, above: set[str]) -> Iterator[Path]:
    """Folders of numbered pictures, and folders that may not be read; `above` are the folders that lead here."""
    real = os.path.realpath(folder)
    if depth > DEPTH or real in above:  # a link that leads back
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
        pictures = True  # perhaps: what is wrong with it is told where its frames are looked for
    if pictures:
        yield folder
    for name in sorted(below):
        yield from _picture_folders(folder / name, depth + 1, above | {real})


def _common(root: Path, folders: dict[Place, Path]) -> str:
    parents = {str(path.parent) for path in folders.values()}
    return Path(os.path.relpath(os.path.commonpath(parents), root)).as_posix()


def by_parent(subject: Callable[[str], str], clip: str = r".+") -> Identify:
    """`.../<subject>/<clip>/`, where the clip's name matches the regular expression `clip`."""

    def identify(parts: tuple[str, ...]) -> Place | None:
        if len(parts) < 2 or not re.fullmatch(clip, parts[-1], re.IGNORECASE):
            return None
        return Place(subject(parts[-2]), parts[-1])

    return identify
