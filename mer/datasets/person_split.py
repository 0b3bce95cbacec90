"""Which people train, which are validated on and which are tested on, once and for all."""

from __future__ import annotations

import zlib

SPLITS = ("train", "val", "test")


def split_of(person: str) -> str:
    """`train`, `val` or `test`, by the person's name: about 80, 10 and 10 of a hundred people.

    It depends on the name alone, so that a person stays in one split whatever else is in a folder, whether the
    photographs are warped (:mod:`mer.decflow.data.warped_photos`) or rendered (:mod:`mer.synth`).
    """
    part = zlib.crc32(person.encode()) % 10
    return {0: "test", 1: "val"}.get(part, "train")


def person_of(name: str) -> str:
    """The person in a photograph, by its file name: the number before the first underscore, else the name's stem."""
    first = name.split("_")[0]
    return first if first.isdigit() else name.rsplit(".", 1)[0]
