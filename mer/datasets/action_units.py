"""Action units: their FACS names, and the notation of annotation sheets.

The samples table keeps the text of the sheet; :func:`parse_aus` reads it. Sheets contain `4+7`, `R4`, `L10`, `A1B`
(asymmetric), `T23` and `B18` (top, bottom), `A/L12`, intensities `15A` to `15E` and `10A/B`, `AU12`, lists with commas
(also full-width ones), `(R6 or R12)+R15`, `ref(24)`, `12(k)`, `?`, action descriptors (`AD38`), movement codes
(`M58`), and remarks such as `soft focus`.
"""

from __future__ import annotations

import re
from typing import NamedTuple

# Ekman, Friesen and Hager, "Facial Action Coding System", 2002.
FACS_NAMES: dict[str, str] = {
    "1": "inner brow raiser",
    "2": "outer brow raiser",
    "4": "brow lowerer",
    "5": "upper lid raiser",
    "6": "cheek raiser",
    "7": "lid tightener",
    "9": "nose wrinkler",
    "10": "upper lip raiser",
    "12": "lip corner puller",
    "14": "dimpler",
    "15": "lip corner depressor",
    "16": "lower lip depressor",
    "17": "chin raiser",
    "18": "lip pucker",
    "20": "lip stretcher",
    "22": "lip funneler",
    "23": "lip tightener",
    "24": "lip presser",
    "25": "lips part",
    "26": "jaw drop",
    "27": "mouth stretch",
    "28": "lip suck",
    "29": "jaw thrust",
    "34": "cheek puff",
    "45": "blink",
}
_UNIT = re.compile(
    r"(?:AU)?(?P<side>[LRTBA](?:/[LRTBA])?)?\s*(?P<number>\d{1,3})(?P<intensity>[A-E](?:/[A-E])?)?(?P<doubt>\?|\(k\))?'?",
    re.IGNORECASE,
)
# Action descriptors, movements of the head and eyes, and the coder's remarks: valid, but not action units.
_OTHER_CODE = re.compile(r"[LRTBA]?(?:AD|M)\s*\d{1,3}[A-E]?|soft focus", re.IGNORECASE)


class ActionUnit(NamedTuple):
    """An annotated action unit.

    Attributes
    ----------
    number : int
    side : str
        `L`, `R`, `T` (top), `B` (bottom), `A` (asymmetric), two of them as in `A/L`, or empty.
    intensity : str
        `A` to `E`, two of them as in `A/B`, or empty.
    sure : bool
        False for alternatives ("or"), for the unit of a reference frame (`ref(24)`), and if the coder marked it as
        uncertain.
    """

    number: int
    side: str = ""
    intensity: str = ""
    sure: bool = True


def parse_aus(text: str) -> tuple[list[ActionUnit], list[str]]:
    """The action units in a cell of a sheet, and the parts that are not action units.

    Uncertain units are flagged, not dropped, so that the caller decides whether to count them.

    >>> parse_aus("L12 or L14")[0]
    [ActionUnit(number=12, side='L', intensity='', sure=False), ActionUnit(number=14, side='L', intensity='', sure=False)]
    >>> parse_aus("R17+AD38")
    ([ActionUnit(number=17, side='R', intensity='', sure=True)], ['AD38'])
    """  # noqa: E501
    units: list[ActionUnit] = []
    rest: list[str] = []
    for part in (part.strip() for part in re.split(r"[+,，、;；&]", text)):
        reference = re.fullmatch(r"ref\s*\((.*)\)", part, re.IGNORECASE)
        inner = reference[1] if reference else part
        if inner.startswith("(") and inner.endswith(")"):
            inner = inner[1:-1]
        choices = re.split(r"\s+or\s+", inner, flags=re.IGNORECASE)
        for choice in choices:
            match = _UNIT.fullmatch(choice.strip())
            if match is None:
                rest += [choice.strip()] if choice.strip() else []
                continue
            sure = reference is None and len(choices) == 1 and match["doubt"] is None
            side, intensity = (match["side"] or "").upper(), (match["intensity"] or "").upper()
            units.append(ActionUnit(int(match["number"]), side, intensity, sure))
    return units, rest


def unknown_codes(text: str) -> list[str]:
    """The parts of a cell that are neither action units nor other FACS codes or known remarks.

    >>> unknown_codes("14+AD38+M58+soft focus+smile")
    ['smile']
    """
    return [part for part in parse_aus(text)[1] if not _OTHER_CODE.fullmatch(part)]
