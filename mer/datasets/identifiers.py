"""Names of databases, people and clips: one spelling for what copies, lists and papers spell in many ways."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

# What is left of a name in lower case without blanks and punctuation -> the database.
_DATABASES = {
    "casmeii": "casme2",
    "smichs": "smic",
    "smicall": "smic",
    "smicvis": "smic-vis",
    "smicnir": "smic-nir",
    "casmesq": "casme-sq",
    "sammlv": "samm-lv",
    "sammlongvideos": "samm-lv",
    "casmeiii": "casme3",
    "fourdme": "4dme",
}


def database_name(text: str) -> str:
    """The database's name in `mer`; one that is not known keeps its own, in lower case.

    >>> database_name("CASME II"), database_name("CAS(ME)^2"), database_name("SMIC-HS"), database_name(" SAMM ")
    ('casme2', 'casme-sq', 'smic', 'samm')
    """
    squared = re.search(r"\(me\)|\^|[²³]", text.casefold())  # CAS(ME)^2 is another database than CASME II
    bare = re.sub(r"[^a-z0-9]", "", unicodedata.normalize("NFKC", text).casefold())
    if squared and bare.startswith("casme"):
        return {"casme2": "casme-sq", "casme3": "casme3"}.get(bare, bare)
    if bare in ("casme", "casme2", "casme3", "samm", "smic", "mmew", "4dme", "dfme"):
        return bare
    return _DATABASES.get(bare, re.sub(r"\s+", "-", text.strip().casefold()))


def subject_name(dataset: str, text: str) -> str:
    """The person as the samples table names them (:mod:`mer.datasets`); of another database, the text as it is.

    >>> subject_name("samm", "6"), subject_name("samm", "36.0"), subject_name("casme2", "1"), subject_name("smic", "s1")
    ('006', '036', 'sub01', 's01')
    """
    from mer.datasets import DATASETS

    text = re.sub(r"^(\d+)\.0+$", r"\1", text.strip())  # a number that a spreadsheet made a fraction
    try:
        return DATASETS[dataset].subject(text) if dataset in DATASETS else text
    except ValueError:  # not a name of this database
        return text


def clip_key(dataset: str, subject: str, clip: str) -> tuple[str, str, str]:
    """What is equal for two spellings of one clip: SMIC's folders say `s1_ne_01`, the list of MEGC2019 `s01_ne_01`."""
    dataset = database_name(dataset)
    clip = re.sub(r"^s(\d+)_", lambda found: f"s{int(found[1])}_", clip.strip().casefold())
    return dataset, subject_name(dataset, subject).casefold(), clip


def numbered(prefix: str, digits: int) -> Callable[[str], str]:
    """A function that brings the names of people into one form: `prefix` and a number of so many digits.

    >>> subject = numbered("sub", 2)
    >>> subject("1"), subject("01"), subject("Sub 1"), subject("s01")
    ('sub01', 'sub01', 'sub01', 'sub01')

    It raises `ValueError` for a name that is not of this form.
    """
    known = "|".join(re.escape(word) for word in (prefix.rstrip("."), "subject", "sub", "s") if word)

    def canonical(text: str) -> str:
        match = re.fullmatch(rf"(?:{known})?[\s_.-]*(\d+)", text.strip(), re.IGNORECASE)
        if match is None:
            raise ValueError(f"{text!r} is not the name of a person such as {prefix}{1:0{digits}d}")
        return f"{prefix}{int(match[1]):0{digits}d}"

    return canonical
