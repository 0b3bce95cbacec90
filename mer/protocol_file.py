"""From a YAML file to the parts of a protocol, checked; :mod:`mer.protocol` tells what each key means."""

from __future__ import annotations

from typing import Any

from mer.folds import check_split


def parts_of(content: dict[str, Any]) -> dict[str, Any]:
    """Keyword arguments of :class:`mer.protocol.Protocol`; `ValueError` says which key is wrong."""
    labels = {_text(dataset, "labels"): _labels(dataset, row or {}) for dataset, row in _map(content, "labels").items()}
    counts = {
        dataset: {key: _numbers(n, f"counts of {dataset}") for key, n in row.items()}
        for dataset, row in _map(content, "counts").items()
    }
    split = check_split(content.get("split", "person"))
    units = tuple(content.get("units", ()))
    if not all(isinstance(unit, int) and unit > 0 for unit in units):
        raise ValueError(f"units are numbers such as 4, found {list(units)}")
    return {
        "title": str(content.get("title", "")),
        "source": " ".join(str(content.get("source", "")).split()),
        "classes": _classes(content, labels, counts),
        "labels": labels,
        "units": units,
        "drop": _drop(content.get("drop", [])),
        "counts": counts,
        "people": {dataset: int(n) for dataset, n in _map(content, "people").items()},
        "hints": {dataset: str(hint) for dataset, hint in _map(content, "hints").items()},
        "split": split,
        "list_sha256": _text(content.get("list_sha256", ""), "list_sha256").lower(),
    }


def _map(content: dict[str, Any], key: str) -> dict[str, Any]:
    value = content.get(key) or {}
    if not isinstance(value, dict):
        raise ValueError(f"{key}: expected keys with values, found {value!r}")
    return value


def _labels(dataset: str, row: dict[str, Any]) -> dict[str, str | None]:
    where = f"labels of {dataset}"
    return {
        _text(label, where).casefold(): None if value is None else _text(value, where) for label, value in row.items()
    }


def _classes(content: dict[str, Any], labels: dict, counts: dict) -> tuple[str, ...]:
    classes = tuple(_text(value, "classes") for value in content.get("classes", []))
    mapped = {value for row in labels.values() for value in row.values() if value is not None}
    classes = classes or tuple(sorted(mapped))
    unknown = mapped.union(*counts.values()) - {*classes, "*"}
    if unknown:
        raise ValueError(f"{', '.join(sorted(unknown))} is not one of the classes {', '.join(classes)}")
    if len(set(classes)) < len(classes) or any(value != value.casefold() for value in classes):
        raise ValueError(f"classes must differ and be in lower case, found {', '.join(classes)}")
    if classes and content.get("units"):
        raise ValueError("a protocol has classes or units, not both")
    return classes


def _drop(entries: list[dict[str, Any]]) -> tuple[dict[str, str], ...]:
    drop = tuple({key: _text(value, "drop") for key, value in entry.items()} for entry in entries)
    for entry in drop:
        if not {"dataset", "subject", "clip"} <= set(entry) <= {"dataset", "subject", "clip", "label", "why"}:
            raise ValueError(f"drop: expected dataset, subject, clip, label and why, found {', '.join(entry)}")
    return drop


def _numbers(value: Any, where: str) -> int | tuple[int, ...]:
    """A number, or several where releases of a database differ."""
    if isinstance(value, list):
        return tuple(int(n) for n in value)
    if not isinstance(value, int):
        raise ValueError(f"{where}: expected a number or a list of them, found {value!r}")
    return value


def _text(value: object, where: str) -> str:
    # YAML reads 006 as the number 6, and no and on as truth values: a subject or a label would change unnoticed.
    if not isinstance(value, str):
        raise ValueError(f'{where}: write {value!r} in quotes, such as "{value}"')
    return value
