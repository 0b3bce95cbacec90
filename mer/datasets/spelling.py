"""Keys that are equal for two spellings of one name, which programs and people write differently."""

from __future__ import annotations

import re
import unicodedata

from mer.datasets.video import IMAGE_SUFFIXES, VIDEO_SUFFIXES


def clip_spelling(name: str) -> str:
    """A key for clips: spellings differ in case, leading zeros, blanks at the ends or a file ending.

    >>> clip_spelling("006_1 "), clip_spelling("6_01.MP4"), clip_spelling("EP02.1")
    ('6_1', '6_1', 'ep2.1')
    """
    text = unicodedata.normalize("NFKC", name).strip().casefold().replace("\\", "/")
    stem, dot, suffix = text.rpartition(".")
    if f"{dot}{suffix}" in VIDEO_SUFFIXES | IMAGE_SUFFIXES:
        text = stem
    text = re.sub(r"^(\d+)[.,]0+$", r"\1", text)  # spreadsheets turn 36 into 36.0
    return re.sub(r"(?<!\d)0+(?=\d)", "", text).strip()


def person_spelling(name: str) -> str:
    """A key for people: spellings differ in case, leading zeros, blanks, or a separator before the number.

    >>> {person_spelling(name) for name in ("sub1", "Sub01", "SUB 1", "sub_001")}, person_spelling("1_2")
    ({'sub1'}, '1_2')
    """
    return re.sub(r"(?<=[^\W\d_])[\s_.-]+(?=\d)", "", clip_spelling(name))
