"""Protocols: which clips count, what their classes are, and who is tested on whom. Each is a YAML file.

A protocol is data, in `protocols/NAME.yaml` or in a file of your own; adding one needs no Python. Its keys, all of them
optional:

===========  =========================================================================================================
key          content
===========  =========================================================================================================
title        one line for the list of protocols
source       where the rules come from
classes      the classes, in the order of the confusion matrix; without them, the labels that are found
labels       database -> annotated label -> class; `"*"` stands for every database. A label that is a class itself needs
             no entry; any other label that has none is left out. The databases named here or in `counts` are those of
             the protocol; where none is named, every database takes part. Upper and lower case are the same
drop         clips that are left out: a list of `{dataset, subject, clip, why}`
counts       database -> class -> number of clips; a table with other numbers is rejected
people       database -> number of people
hints        database -> what to look at when its numbers differ
===========  =========================================================================================================

Folds are people: one `(dataset, subject)` is tested, all others train.
"""

from __future__ import annotations

import hashlib
import importlib.resources
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import yaml
from sklearn.model_selection import LeaveOneGroupOut

from mer.samples import KEY

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

ANY = "*"


class ProtocolError(ValueError):
    """A protocol that is not there or not right, or a table that does not fit it."""


@dataclass(frozen=True)
class Protocol:
    """One protocol; the module's docstring tells what each part means."""

    name: str
    title: str = ""
    source: str = ""
    classes: tuple[str, ...] = ()
    labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    drop: tuple[Mapping[str, str], ...] = ()
    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    people: Mapping[str, int] = field(default_factory=dict)
    hints: Mapping[str, str] = field(default_factory=dict)

    @property
    def databases(self) -> tuple[str, ...]:
        """The databases of the protocol; empty where every database takes part."""
        return tuple(sorted({*self.labels, *self.counts, *self.people} - {ANY}))

    @property
    def sha256(self) -> str:
        """SHA-256 of the rules (not of the name, the prose or the comments) as JSON with sorted keys."""
        rules = {key: value for key, value in asdict(self).items() if key not in ("name", "title", "source", "hints")}
        return hashlib.sha256(json.dumps(rules, sort_keys=True).encode()).hexdigest()

    def class_of(self, dataset: str, label: str) -> str | None:
        """The class of an annotated label, None where the protocol leaves the clip out."""
        label = label.strip().casefold()
        if not label or (self.databases and dataset not in self.databases):
            return None
        known = {**self.labels.get(ANY, {}), **self.labels.get(dataset, {})}
        if label in known:
            return known[label]
        return label if label in self.classes or not (self.classes or known) else None

    def select(self, samples: pd.DataFrame) -> tuple[pd.DataFrame, pd.Series]:
        """The clips of the protocol with their class, and how many clips were left out for which reason.

        Parameters
        ----------
        samples : DataFrame
            A samples table (:mod:`mer.samples`), clips whose flow failed included: they belong to the protocol.

        Returns
        -------
        chosen : DataFrame
            The rows that count, in the same order and with the same index, and a column `class`.
        left_out : Series
            Reason -> number of clips.

        Raises
        ------
        ProtocolError
            Where no clip is left, or where the numbers differ from the protocol's: the message names the database and
            the class.
        """
        names = [self.class_of(dataset, label) or "" for dataset, label in zip(samples["dataset"], samples["label"])]
        table = samples.assign(**{"class": np.array(names, dtype=object)})
        reasons = pd.Series([self._reason(row) for row in table.to_dict("records")], table.index, dtype=object)
        chosen = table[reasons == ""]
        left_out = reasons[reasons != ""].value_counts()
        if chosen.empty:
            why = "; ".join(f"{reason} ({n})" for reason, n in left_out.head(3).items()) or "the table is empty"
            raise ProtocolError(f"{self.name}: no clip of this table takes part: {why}")
        differences = self.differences(chosen)
        if differences:
            expected = sum(sum(numbers.values()) for numbers in self.counts.values())
            total = f"{len(chosen)} clips, the protocol has {expected}: " if expected else ""
            raise ProtocolError(f"{self.name}: {total}{'; '.join(differences)}")
        _check_keys(chosen)
        return chosen, left_out

    def _reason(self, row: dict[str, Any]) -> str:
        """Why this clip is left out; empty where it is not."""
        if self.databases and row["dataset"] not in self.databases:
            return f"{row['dataset'] or 'a blank database'} is not one of the databases {', '.join(self.databases)}"
        if not row["label"].strip():
            return f"{row['dataset']}: no label"
        if not row["class"]:
            return f"{row['dataset']}: label {row['label'].strip().casefold()!r} has no class"
        for entry in self.drop:
            if all(row[key].casefold() == entry[key].casefold() for key in ("dataset", "subject", "clip")):
                return (
                    f"{row['dataset']}: {row['subject']}/{row['clip']}, {entry.get('why', 'dropped by the protocol')}"
                )
        return ""

    def differences(self, chosen: pd.DataFrame) -> list[str]:
        """Where the numbers of the chosen clips are not those of the protocol, one sentence a database."""
        out = []
        for dataset in self.databases:
            here = chosen[chosen["dataset"] == dataset]
            found = here["class"].value_counts()
            odd = [
                f"{dataset} has {found.get(name, 0)} {name} clips, not {number}"
                for name, number in self.counts.get(dataset, {}).items()
                if found.get(name, 0) != number
            ]
            people = here["subject"].nunique()
            if not odd and people != self.people.get(dataset, people):
                odd = [f"{dataset} has {people} people, not {self.people[dataset]}"]
            if here.empty and odd:
                odd = [f"there is no clip of {dataset}"]
            elif odd and dataset in self.hints:
                odd[-1] += f" ({self.hints[dataset]})"
            out += [", ".join(odd)] if odd else []
        return out

    def classes_of(self, chosen: pd.DataFrame) -> tuple[str, ...]:
        """The classes, in the order of the confusion matrix: the protocol's, or else the labels found, sorted."""
        classes = self.classes or tuple(sorted(set(chosen["class"])))
        if len(classes) < 2:
            raise ProtocolError(
                f"{self.name}: all clips have the label {classes[0]!r}; it takes two classes to tell apart"
            )
        return classes

    def split(self, chosen: pd.DataFrame) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
        """Fold by fold: its name, the rows that train, the rows that are tested (positions in `chosen`)."""
        groups = (chosen["dataset"] + "/" + chosen["subject"]).to_numpy(dtype=object)
        if len(set(groups)) < 2:
            raise ProtocolError(f"{self.name}: all clips are of one person, {groups[0]}; it takes two to leave one out")
        for train, test in LeaveOneGroupOut().split(groups, groups=groups):
            yield groups[test[0]], train, test


def _check_keys(chosen: pd.DataFrame) -> None:
    """`ProtocolError` for a clip without a person, or one that stands in the table twice."""
    nobody = chosen[chosen["subject"].str.strip() == ""]
    if len(nobody):
        raise ProtocolError(
            f"row {nobody.index[0] + 1}, clip {nobody.iloc[0]['clip']!r}, has no subject; folds are people"
        )
    twice = chosen[chosen.duplicated(KEY)]
    if len(twice):
        dataset, subject, clip, onset = twice.iloc[0][KEY]
        raise ProtocolError(f"{dataset}/{subject}/{clip} with onset {onset} stands in the table twice; remove one row")


def read_protocol(path: str | Path | Traversable, name: str = "") -> Protocol:
    """Read a protocol from a YAML file; `ProtocolError` names the key that is wrong."""
    path = Path(path) if isinstance(path, str) else path
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError) as error:
        raise ProtocolError(f"cannot read the protocol {path} ({error})") from error
    except yaml.YAMLError as error:
        raise ProtocolError(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise ProtocolError(f"{path}: expected keys such as classes and labels, found {type(content).__name__}")
    keys = [part.name for part in fields(Protocol) if part.name != "name"]
    unknown = [str(key) for key in content if key not in keys]
    if unknown:
        raise ProtocolError(f"{path}: unknown key {', '.join(unknown)}; the keys are {', '.join(keys)}")
    try:
        return _checked(content, name or Path(path.name).stem)
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise ProtocolError(f"{path}: {error}") from error


def _checked(content: dict[str, Any], name: str) -> Protocol:
    classes = tuple(_text(value, "classes") for value in content.get("classes", []))
    labels = {
        _text(dataset, "labels"): {
            _text(label, f"labels of {dataset}").casefold(): _text(value, f"labels of {dataset}")
            for label, value in (row or {}).items()
        }
        for dataset, row in content.get("labels", {}).items()
    }
    classes = classes or tuple(sorted({value for named in labels.values() for value in named.values()}))
    counts = {dataset: {key: int(n) for key, n in row.items()} for dataset, row in content.get("counts", {}).items()}
    named = {value for row in labels.values() for value in row.values()}.union(*counts.values())
    if named - set(classes):
        raise ValueError(f"{', '.join(sorted(named - set(classes)))} is not one of the classes {', '.join(classes)}")
    if len(set(classes)) < len(classes) or any(value != value.casefold() for value in classes):
        raise ValueError(f"classes must differ and be in lower case, found {', '.join(classes)}")
    drop = tuple({key: _text(value, "drop") for key, value in entry.items()} for entry in content.get("drop", []))
    for entry in drop:
        if not {"dataset", "subject", "clip"} <= set(entry) <= {"dataset", "subject", "clip", "why"}:
            raise ValueError(f"drop: expected dataset, subject, clip and why, found {', '.join(entry)}")
    return Protocol(
        name=name,
        title=str(content.get("title", "")),
        source=" ".join(str(content.get("source", "")).split()),
        classes=classes,
        labels=labels,
        drop=drop,
        counts=counts,
        people={dataset: int(n) for dataset, n in content.get("people", {}).items()},
        hints={dataset: str(hint) for dataset, hint in content.get("hints", {}).items()},
    )


def _text(value: object, where: str) -> str:
    # YAML reads 006 as the number 6, and no and on as truth values: a subject or a label would change unnoticed.
    if not isinstance(value, str):
        raise ValueError(f'{where}: write {value!r} in quotes, such as "{value}"')
    return value


class _Protocols(Mapping[str, Protocol]):
    """Name -> protocol, each read from `protocols/` when it is asked for."""

    @staticmethod
    def _folder() -> Traversable:
        try:
            return importlib.resources.files("mer.protocols")
        except ModuleNotFoundError:  # a checkout that is not installed: the folder stands beside the package
            return Path(__file__).parents[1] / "protocols"

    def __getitem__(self, name: str) -> Protocol:
        if name not in list(self):
            raise KeyError(name)
        return read_protocol(self._folder() / f"{name}.yaml", name)

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(entry.name[:-5] for entry in self._folder().iterdir() if entry.name.endswith(".yaml")))

    def __len__(self) -> int:
        return len(list(iter(self)))


PROTOCOLS: Mapping[str, Protocol] = _Protocols()


def find_protocol(protocol: str | Path | Protocol) -> Protocol:
    """The protocol of that name, or of that YAML file; a `Protocol` is returned as it is."""
    if isinstance(protocol, Protocol):
        return protocol
    if str(protocol) in PROTOCOLS:
        return PROTOCOLS[str(protocol)]
    if Path(protocol).suffix in (".yaml", ".yml"):
        return read_protocol(Path(protocol))
    known = ", ".join(PROTOCOLS)
    raise ProtocolError(f"no protocol {str(protocol)!r}; there are {known}, or give a .yaml file of your own")
