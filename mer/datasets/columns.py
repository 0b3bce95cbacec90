"""Finds the columns of a table by their headers, in any spelling, ignoring case, blanks and punctuation."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from mer.datasets.tables import SamplesError

# Field -> its headers, the best first, in lower-case letters and digits only. A column of
# frames comes before `onset`, which holds milliseconds if both are there.
HEADERS: dict[str, tuple[str, ...]] = {
    "subject": ("subject", "sub", "subid", "subjectid", "subjectno", "participant", "person"),
    "clip": ("filename", "foldname", "clip", "video", "file"),
    "onset": ("onsetframe", "onsetf", "onset"),
    "apex": ("apexframe", "apexf", "apexf1", "apex"),
    "offset": ("offsetframe", "offsetf", "offset"),
    "label": ("estimatedemotion", "emotion", "label", "emotions"),
    "aus": ("actionunits", "actionunit", "aus", "au"),
    "fps": ("fps",),
    "kind": ("expressiontype", "type", "micro"),
    "objective": ("objectiveclasses", "objectiveclass"),
}
# More headers, which are only suggested.
_ALIASES: dict[str, tuple[str, ...]] = {
    "subject": ("subjects", "id", "name", "user", "personid", "participantid"),
    "clip": ("clips", "clipname", "videoname", "videoid", "videofile", "sample", "path"),
    "label": ("class", "expression", "category", "feeling", "target", "y", "gt"),
    "aus": ("units", "facs"),
    "fps": ("framerate", "framespersecond", "rate", "hz"),
}
_TIME = re.compile(
    r"(onset|apex|offset)[\s_]*(time)?[\s_]*[\[(]?[\s_]*"
    r"(ms|msecs?|millis|milliseconds?|(?<=[\s_(\[])s|secs?|seconds?)\s*[\])]?"
)


def normalize(header: str) -> str:
    """A header in lower-case letters and digits only."""
    return re.sub(r"[^a-z0-9]", "", unicodedata.normalize("NFKC", header).casefold())


def find_columns(header: Sequence[str], fields: Mapping[str, tuple[str, ...]] = HEADERS) -> dict[str, int]:
    """Field -> index of its column in a row of headers."""
    plain = [normalize(cell) for cell in header]
    names = {field: next((name for name in names if name in plain), None) for field, names in fields.items()}
    return {field: plain.index(name) for field, name in names.items() if name is not None}


def refuse_times(path: Path, header: Sequence[str], columns: Mapping[str, int]) -> None:
    """Raise `SamplesError` if onset, apex or offset is given in milliseconds or seconds alone.

    `columns` are those in use. A header names its unit, as in `Onset (ms)`.
    """
    times = {m[1]: cell for cell in header if (m := _TIME.fullmatch(cell.strip().casefold()))}
    for name, cell in times.items():
        if name not in columns or header[columns[name]] == cell:
            raise SamplesError(
                f"{path}: {cell!r} holds times; add a column {name} with frame numbers (seconds x frames per second)"
            )


def suggest(header: Iterable[str], missing: Iterable[str]) -> dict[str, str]:
    """Header -> the missing field that it probably means."""
    missing, suggestions = list(missing), {}
    for cell in header:
        field = next((f for f in missing if normalize(cell) in (*HEADERS.get(f, ()), *_ALIASES.get(f, ()))), None)
        close = difflib.get_close_matches(cell.strip().casefold(), missing, n=1, cutoff=0.75)
        if field or close:
            suggestions[cell] = field or close[0]
    return suggestions
