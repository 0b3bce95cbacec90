"""Which published image belongs to which clip: the names that it may have, and the file with one of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from mer.datasets.identifiers import database_name, subject_name
from mer.datasets.samples import SamplesError

SUFFIXES = (".png", ".bmp", ".jpg", ".jpeg", ".tif", ".tiff")


def image_names(row: Mapping[str, str], subject: str, cells: list[str]) -> list[str]:
    """The names that the image of a row may have, without suffix.

    `row` is spelled as in the table, `subject` as in `mer`; `cells` are the row's cells that name the image itself.
    """
    subjects = [row["subject"], subject]
    number = re.search(r"\d+$", row["subject"])
    if number:
        n = int(number[0])
        subjects += [str(n), f"{n:02}", f"{n:03}", f"sub{n:02}", f"s{n}", f"s{n:02}"]
    clips = [row["clip"]]
    smic = re.fullmatch(r"s(\d+)(_(?:ne|po|sur)_\d+)", row["clip"], re.IGNORECASE)
    if smic:  # a folder of SMIC is named s1_ne_01, lists have s01_ne_01
        clips += [f"s{int(smic[1])}{smic[2]}", f"s{int(smic[1]):02}{smic[2]}"]
    prefixes = [f"{database}{name}_" for database in ("", f"{row['dataset']}_") for name in subjects]
    names = [f"{prefix}{clip}" for clip in clips for prefix in prefixes]
    return [*dict.fromkeys([*names, *(name.strip() for name in cells if name.strip()), *clips])]


def find_images(
    samples: pd.DataFrame, names: list[list[str]], folder: Path, warn: Callable[[str], None]
) -> list[Path | None]:
    """The image of each row, None if there is none.

    `names` are the names that the image of each row may have. If several images in subfolders have the same name, those
    in a folder of the row's database and subject are taken.

    Raises
    ------
    FileNotFoundError, SamplesError
        If the folder holds no image, no image has the name of a clip, or a clip has several different images.
    """
    paths = (path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.name[0] != ".")
    files = sorted(path for path in paths if path.is_file())
    if not files:
        raise FileNotFoundError(f"no image in {folder}; expected {', '.join(SUFFIXES)}")
    by_stem: dict[str, list[Path]] = {}
    for file in files:
        by_stem.setdefault(_stem(file.name), []).append(file)
    found: list[Path | None] = []
    owners: dict[Path, str] = {}  # image -> clip
    copies: dict[str, Path] = {}
    for row, own in zip(samples.to_dict("records"), names):
        clip = f"{row['dataset']}/{row['subject']}/{row['clip']}"
        stem = next((_stem(name) for name in own if _stem(name) in by_stem), None)
        image = None if stem is None else _select_image(by_stem[stem], row, folder, clip, copies)
        if image is not None and owners.setdefault(image, clip) != clip:
            raise SamplesError(f"{image} is the image of both {owners[image]} and {clip}; add the subject to its name")
        found.append(image)
    if not any(found):
        raise SamplesError(
            f"none of {len(files)} images in {folder} has the name of a clip: the first clip is expected as "
            f"{names[0][0]}.png, the first image is {files[0].name}"
        )
    if copies:
        warn(
            f"{len(copies)} clips have several equal images; the first is taken, such as {next(iter(copies.values()))}"
        )
    extra = [
        file for paths in by_stem.values() for file in paths if file not in owners and not set(paths) & set(owners)
    ]
    if extra:
        warn(f"{len(extra)} images belong to no row of the table, such as {extra[0]}")
    return found


def _stem(name: str) -> str:
    """A file name in lower case, without blanks and the suffix of an image."""
    stem = re.sub(r"\s", "", name).casefold()
    return next((stem.removesuffix(suffix) for suffix in SUFFIXES if stem.endswith(suffix)), stem)


def _select_image(paths: list[Path], row: dict[str, Any], folder: Path, clip: str, copies: dict[str, Path]) -> Path:
    """The image of a row among those with its name; adds it to `copies` if several are equal."""
    checks: list[Callable[[str], bool]] = [
        lambda part: database_name(part) == row["dataset"],
        lambda part: subject_name(row["dataset"], part) == row["subject"],
    ]
    for check in checks:
        inside = [path for path in paths if any(map(check, path.relative_to(folder).parts[:-1]))]
        paths = inside or paths
    if len(paths) > 1:
        if len({path.read_bytes() for path in paths}) > 1:
            raise SamplesError(f"{clip} has several images that differ: {' and '.join(map(str, paths[:2]))}; keep one")
        copies[clip] = paths[0]
    return paths[0]
