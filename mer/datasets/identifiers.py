"""One spelling for names of databases, people and clips, which copies, lists and papers spell differently.

Every comparison between two tables goes through these functions: the organizers' lists, published images, results of
others. How a database names its people is one of its facts (:attr:`mer.datasets.database.Database.subject`).
"""

from __future__ import annotations

import re
import unicodedata
import warnings
from collections.abc import Iterable

from mer.datasets import DATASETS
from mer.datasets.spelling import person_spelling

# Other spellings, in lower case and without blanks and punctuation -> the name in `DATASETS`.
_ALIASES = {
    "casmeii": "casme2",
    "casmeiii": "casme3",
    "casmesq": "casme-sq",
    "fourdme": "4dme",
    "sammlongvideos": "samm-lv",
    "smicall": "smic",
    "smichs": "smic",
} | {name.replace("-", ""): name for name in DATASETS}


def database_name(text: str) -> str:
    """The name of a database in `mer`; an unknown database keeps its name, in lower case.

    >>> database_name("CASME II"), database_name("CAS(ME)^2"), database_name("SMIC-HS"), database_name(" SAMM ")
    ('casme2', 'casme-sq', 'smic', 'samm')
    """
    squared = re.search(r"\(me\)|\^|[²³]", text.casefold())  # CAS(ME)^2 is another database than CASME II
    bare = re.sub(r"[^a-z0-9]", "", unicodedata.normalize("NFKC", text).casefold())
    if squared and bare.startswith("casme"):
        return {"casme2": "casme-sq"}.get(bare, bare)
    return _ALIASES.get(bare, re.sub(r"\s+", "-", text.strip().casefold()))


def subject_name(dataset: str, text: str) -> str:
    """The name of a person in the samples table; of an unknown database, the text unchanged.

    >>> subject_name("samm", "6"), subject_name("samm", "36.0"), subject_name("casme2", "1"), subject_name("smic", "s1")
    ('006', '036', 'sub01', 's01')
    """
    text = re.sub(r"^(\d+)\.0+$", r"\1", text.strip())  # spreadsheets turn 36 into 36.0
    try:
        return DATASETS[dataset].subject(text) if dataset in DATASETS else text
    except ValueError:  # not a name of this database
        return text


def one_spelling(people: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """`(dataset, subject)` -> the name of the person, the same for all spellings within a database.

    In a database that is not known, `p1` and `P1`, `1` and `01`, or `sub1` and `sub 01` are one person, who gets the
    spelling that sorts first; a warning names the spellings.
    """
    names: dict[tuple[str, str], str] = {}
    first: dict[tuple[str, str], str] = {}
    others: dict[tuple[str, str], list[str]] = {}
    for dataset, subject in sorted(set(people)):
        name = subject_name(dataset, subject)
        key = dataset, person_spelling(name)
        names[dataset, subject] = first.setdefault(key, name)
        if name != first[key]:
            others.setdefault(key, []).append(name)
    if others:
        spellings = [", ".join(dict.fromkeys([first[key], *names])) for key, names in others.items()]
        more = f" and {len(spellings) - 5} others" if len(spellings) > 5 else ""
        warnings.warn(
            f"names that differ in spelling alone count as one person: {'; '.join(spellings[:5])}{more}; "
            "rename them if they are different people",
            stacklevel=3,
        )
    return names


def clip_key(dataset: str, subject: str, clip: str) -> tuple[str, str, str]:
    """A key that is equal for two spellings of one clip: `s1_ne_01` in SMIC's folders is `s01_ne_01` in MEGC2019."""
    dataset = database_name(dataset)
    clip = re.sub(r"^s(\d+)_", lambda match: f"s{int(match[1])}_", clip.strip().casefold())
    return dataset, subject_name(dataset, subject).casefold(), clip
