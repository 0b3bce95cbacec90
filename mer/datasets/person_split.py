"""The fixed split of people into training, validation and test sets, by name."""

from __future__ import annotations

import zlib

SPLITS = ("train", "val", "test")


def split_of(person: str) -> str:
    """`train`, `val` or `test` for a person: about 80, 10 and 10 percent of people.

    The split depends only on the name, so a person is in the same split in every folder, for warped photographs
    (:mod:`mer.decflow.data.warped_photos`) and for rendered ones (:mod:`mer.synth`).
    """
    part = zlib.crc32(person.encode()) % 10
    return {0: "test", 1: "val"}.get(part, "train")


def person_of(name: str) -> str:
    """The person in a photograph: the number before the first underscore of the file name, else the whole stem."""
    first = name.split("_")[0]
    return first if first.isdigit() else name.rsplit(".", 1)[0]
