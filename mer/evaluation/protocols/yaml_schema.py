"""Checks the content of a protocol file, and converts it to the attributes of a protocol.

A schema library such as msgspec would not make this shorter: its errors name no key inside a mapping (`$.labels[...]`),
so the value that lacks quotes, the most common mistake in these files, would still have to be searched here.
"""

from __future__ import annotations

import re
from reprlib import repr  # bounded: a few lines of YAML can expand to gigabytes
from typing import Any

import yaml

from mer.evaluation.protocols.folds import check_split

KINDS = ("micro", "macro")  # of spotted expressions
MAX_WORDS = 1000  # of a file that are searched for one without quotes


class Unquoted(ValueError):
    """A text without quotes that YAML reads as something else: 006 as the number 6, no as false."""

    def __init__(self, where: str, value: object, written: str = "") -> None:
        self.where, self.value = where, value
        written = written or repr(value)
        super().__init__(f'{where}: write {written} in quotes, such as "{written}"')


def protocol_fields(content: dict[str, Any]) -> dict[str, Any]:
    """Keyword arguments of :class:`mer.evaluation.protocols.protocol.Protocol`; `ValueError` names a wrong key."""
    labels = {_text(dataset, "labels"): _labels(dataset, row) for dataset, row in _map(content, "labels").items()}
    counts = {
        _text(dataset, "counts"): {
            _text(key, f"counts of {dataset}"): _numbers(n, f"counts of {dataset}")
            for key, n in _map(_map(content, "counts"), dataset, f"counts of {dataset}").items()
        }
        for dataset in _map(content, "counts")
    }
    units = tuple(_list(content, "units"))
    if not all(_is_count(unit) and unit > 0 for unit in units):
        raise ValueError(f"units are numbers such as 4, found {repr(list(units))}")
    return {
        "title": _text(content.get("title") or "", "title"),
        "source": " ".join(_text(content.get("source") or "", "source").split()),
        "classes": _classes(content, labels, counts),
        "labels": labels,
        "units": units,
        "drop": _drop(_list(content, "drop")),
        "counts": counts,
        "people": {_text(dataset, "people"): _people(n, dataset) for dataset, n in _map(content, "people").items()},
        "hints": {_text(dataset, "hints"): _text(hint, "hints") for dataset, hint in _map(content, "hints").items()},
        "split": check_split(content.get("split", "person")),
        "list_sha256": _text(content.get("list_sha256", ""), "list_sha256").lower(),
        "spotting": _spotting(_map(content, "spotting")),
    }


def _map(content: dict[str, Any], key: str, where: str = "") -> dict[str, Any]:
    value = content.get(key) or {}
    if not isinstance(value, dict):
        raise ValueError(f"{where or key}: expected keys with values, found {repr(value)}")
    return value


def _list(content: dict[str, Any], key: str) -> list[Any]:
    value = content.get(key) or []
    if not isinstance(value, list):
        raise ValueError(f"{key}: expected a list, found {repr(value)}")
    return value


def _labels(dataset: str, row: Any) -> dict[str, str | None]:
    where = f"labels of {dataset}"
    return {
        _text(label, where).casefold(): None if value is None else _text(value, where)
        for label, value in _map({where: row}, where).items()
    }


def _classes(content: dict[str, Any], labels: dict, counts: dict) -> tuple[str, ...]:
    classes = tuple(_text(value, "classes") for value in _list(content, "classes"))
    mapped = {value for row in labels.values() for value in row.values() if value is not None}
    classes = classes or tuple(sorted(mapped))
    kinds = KINDS if content.get("spotting") else ()
    unknown = mapped.union(*counts.values()) - {*classes, *kinds, "*"}
    if unknown:
        raise ValueError(f"{', '.join(sorted(unknown))} is not one of the classes {', '.join(classes)}")
    if len(set(classes)) < len(classes) or any(value != value.casefold() for value in classes):
        raise ValueError(f"classes must be distinct and in lower case, found {', '.join(classes)}")
    if classes and content.get("units"):
        raise ValueError("a protocol has classes or units, not both")
    return classes


def _drop(entries: list[Any]) -> tuple[dict[str, str], ...]:
    drop = tuple(
        {_text(key, "drop"): _text(value, "drop") for key, value in _map({"drop": entry}, "drop").items()}
        for entry in entries
    )
    for entry in drop:
        if not {"dataset", "subject", "clip"} <= set(entry) <= {"dataset", "subject", "clip", "label", "why"}:
            raise ValueError(f"drop: expected dataset, subject, clip, label and why, found {repr(list(entry))}")
    return drop


def _spotting(rules: dict[str, Any]) -> dict[str, Any]:
    """The rules of spotting with defaults; empty if there are none."""
    if not rules:
        return {}
    full = {"iou": 0.5, "kinds": list(KINDS), "recognize": False, **rules}
    number = isinstance(full["iou"], (int, float)) and not isinstance(full["iou"], bool)
    if len(full) > 3 or not number or not 0 < full["iou"] <= 1 or not isinstance(full["recognize"], bool):
        raise ValueError(
            f"spotting: expected iou (above 0, at most 1), kinds, and recognize (true or false), found {repr(rules)}"
        )
    if not isinstance(full["kinds"], list) or not full["kinds"] or any(kind not in KINDS for kind in full["kinds"]):
        raise ValueError(f"spotting: kinds is a list of {' and '.join(KINDS)}, found {repr(full['kinds'])}")
    return full


def _people(value: Any, dataset: str) -> int:
    if not _is_count(value):
        raise ValueError(f"people of {dataset}: expected a number, found {repr(value)}")
    return value


def _numbers(value: Any, where: str) -> int | tuple[int, ...]:
    """A number, or several if releases of a database differ."""
    numbers = value if isinstance(value, list) else [value]
    if not numbers or not all(_is_count(n) for n in numbers):
        raise ValueError(f"{where}: expected a number or a list of them, found {repr(value)}")
    return tuple(numbers) if isinstance(value, list) else value


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _text(value: object, where: str) -> str:
    # YAML reads 006 as 6, and no and on as truth values: without this check, names would change unnoticed.
    if isinstance(value, (list, dict)):
        raise ValueError(f"{where}: expected a text, found {repr(value)}")
    if not isinstance(value, str):
        raise Unquoted(where, value)
    return value


def as_written(text: str, value: object) -> str:
    """The only word of a file that YAML reads as this value, such as `no` for False; empty if there are several."""
    bare = re.sub(r"""#.*|"[^"]*"|'[^']*'""", " ", text)
    words = re.findall(
        r"(?<![^\s,\[{])(?:yes|no|on|off|true|false|[-+.]?\d[\w.:+-]{,40})(?![^\s,\]}:])", bare, re.IGNORECASE
    )
    matches = []
    for word in list(dict.fromkeys(words))[:MAX_WORDS]:
        try:
            read = yaml.safe_load(word)
        except (yaml.YAMLError, ValueError):  # such as the date 2020-99-99
            continue
        matches += [word] if type(read) is type(value) and read == value else []
    return matches[0] if len(matches) == 1 else ""
