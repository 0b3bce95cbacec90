"""Names of people: each database writes them in several ways, the samples table in one."""

from __future__ import annotations

import re
from collections.abc import Callable


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
