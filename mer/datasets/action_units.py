"""Action units as the sheets write them; the samples table keeps the raw text, this reads it.

Forms that the sheets hold: `4+7`, `R4`, `L10`, `A1B` (asymmetric), `T23` and `B18` (top, bottom), `A/L12`,
intensities `15A` to `15E` and `10A/B`, `AU12`, lists by commas (full-width ones too), `(R6 or R12)+R15`, `ref(24)`,
`12(k)`, `?`, and remarks such as `soft focus`.
"""

from __future__ import annotations

import re
from typing import NamedTuple

# Ekman, Friesen & Hager, "Facial Action Coding System", 2002.
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


class ActionUnit(NamedTuple):
    """One unit: its number, side (`L`, `R`, `T`, `B`, `A` or ``), intensity (`A` to `E`, or ``).

    `sure` is False for one of several that an "or" leaves open, for a reference frame's unit (`ref(24)`) and for one
    that the coder marked as uncertain.
    """

    number: int
    side: str = ""
    intensity: str = ""
    sure: bool = True


def parse_aus(text: str) -> tuple[list[ActionUnit], list[str]]:
    """The units of a cell, and the parts that are none.

    Doubtful units are flagged, not dropped, so that whoever counts them has to decide.

    >>> parse_aus("L12 or L14")[0]
    [ActionUnit(number=12, side='L', intensity='', sure=False), ActionUnit(number=14, side='L', intensity='', sure=False)]
    >>> parse_aus("14+R17+soft focus")
    ([ActionUnit(number=14, side='', intensity='', sure=True), ActionUnit(number=17, side='R', intensity='', sure=True)], ['soft focus'])
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
