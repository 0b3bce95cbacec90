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
             no entry; any other label that has none is left out, and so is one whose class is `null`. The databases
             named here, in `counts`, `people` or `split` are those of the protocol; where none is named, every database
             takes part. Upper and lower case are the same
units        action units that are to be detected, each present or absent, in place of classes
drop         clips that are left out: a list of `{dataset, subject, clip, label, why}`, the last two optional; with a
             label, only while the clip has that one
counts       database -> class -> number of clips, or a list of numbers where releases differ; the class `"*"` stands
             for all. A table with other numbers is rejected
people       database -> number of people; `"*"` for all databases together
hints        database -> what to look at when its numbers differ
split        who is tested on whom (:mod:`mer.evaluation.protocols.folds`); one person at a time, unless it says otherwise
spotting     for long videos (:mod:`mer.spotting`): `{iou: 0.5, kinds: [micro, macro], recognize: false}`
list_sha256  SHA-256 of the organizers' own list of clips (:mod:`mer.evaluation.protocols.organizers_list`), which can then be joined
===========  =========================================================================================================
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

from mer.evaluation.protocols.check_clips import check_keys, without_units
from mer.evaluation.protocols.folds import Fold, ProtocolError, Split, folds_of, people_of
from mer.evaluation.protocols.organizers_list import join_list, read_list
from mer.evaluation.protocols.yaml_schema import Unquoted, as_written, parts_of

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

__all__ = ["PROTOCOLS", "Protocol", "ProtocolError", "find_protocol", "read_protocol"]

ANY = "*"


@dataclass(frozen=True)
class Protocol:
    """One protocol; the module's docstring tells what each part means."""

    name: str
    title: str = ""
    source: str = ""
    classes: tuple[str, ...] = ()
    labels: Mapping[str, Mapping[str, str | None]] = field(default_factory=dict)
    units: tuple[int, ...] = ()
    drop: tuple[Mapping[str, str], ...] = ()
    counts: Mapping[str, Mapping[str, int | tuple[int, ...]]] = field(default_factory=dict)
    people: Mapping[str, int] = field(default_factory=dict)
    hints: Mapping[str, str] = field(default_factory=dict)
    split: Split = "person"
    list_sha256: str = ""
    spotting: Mapping[str, Any] = field(default_factory=dict)

    @property
    def databases(self) -> tuple[str, ...]:
        """The databases of the protocol; empty where every database takes part."""
        split = self.split if isinstance(self.split, dict) else {}
        sides = [*split.get("train", ()), *split.get("test", ())]
        return tuple(sorted({*self.labels, *self.counts, *self.people, *sides} - {ANY}))

    @property
    def sha256(self) -> str:
        """SHA-256 of the rules (not of the name, the prose or the comments) as JSON with sorted keys."""
        rules = {key: value for key, value in asdict(self).items() if key not in ("name", "title", "source", "hints")}
        if not self.spotting:  # as it was before there were such protocols
            del rules["spotting"]
        return hashlib.sha256(json.dumps(rules, sort_keys=True).encode()).hexdigest()

    def class_of(self, dataset: str, label: str, aus: str = "") -> str | None:
        """The class of an annotated label, None where the protocol leaves the clip out."""
        label = label.strip().casefold()
        if self.databases and dataset not in self.databases:
            return None
        known = {**self.labels.get(ANY, {}), **self.labels.get(dataset, {})}
        if label in known:
            return known[label]
        if self.units:  # whatever the label is
            from mer.datasets.action_units import parse_aus

            found = {unit.number for unit in parse_aus(aus)[0] if unit.sure}
            return "+".join(str(unit) for unit in self.units if unit in found) or "none"
        if label in self.classes:
            return label
        return label if label and not (self.classes or known) else None

    def select(self, samples: pd.DataFrame, megc_csv: str | Path | None = None) -> tuple[pd.DataFrame, pd.Series]:
        """The clips of the protocol with their class, and how many clips were left out for which reason.

        Parameters
        ----------
        samples : DataFrame
            A samples table (:mod:`mer.datasets.samples`), clips whose flow failed included: they belong to the protocol.
        megc_csv : str or Path, optional
            The organizers' own list: exactly its clips are taken, and their classes are the list's.

        Returns
        -------
        chosen : DataFrame
            The rows that count, in the same order and with the same index, and a column `class`: of action units that
            are to be detected, those that are present (`4+7`), or `none`.
        left_out : Series
            Reason -> number of clips. Of action units, a reason that is :data:`mer.evaluation.protocols.check_clips.WITHOUT` and a database tells
            how many of its clips were taken although no unit can be read in their cell: each counts as absent.

        Raises
        ------
        ProtocolError
            Where no clip is left, or where the numbers differ from the protocol's: the message names the database and
            the class, and with the list the clips.
        """
        if self.spotting:
            raise ProtocolError(
                f"{self.name} scores spotted intervals: `mer spot VIDEOS --out spotted`, then "
                f"`mer evaluate spotted --protocol {self.name}`"
            )
        columns = samples[["dataset", "label", "aus"]].itertuples(index=False)
        names = [self.class_of(*row) or "" for row in columns]
        table = samples.assign(**{"class": np.array(names, dtype=object)})
        reasons = pd.Series([self._reason(row) for row in table.to_dict("records")], table.index, dtype=object)
        if megc_csv is not None:
            if not self.list_sha256:
                raise ProtocolError(f"{self.name}: no list of its organizers is known; leave --megc-csv out")
            listed = read_list(megc_csv, self.list_sha256)
            table, reasons = join_list(self.name, table, reasons, listed, self.class_of)
        chosen = table[reasons == ""]
        left_out = reasons[reasons != ""].value_counts()
        if chosen.empty:
            why = "; ".join(f"{reason} ({n})" for reason, n in left_out.head(3).items()) or "the table is empty"
            hints = [f"; {self.hints[name]}" for name in sorted(set(table["dataset"])) if name in self.hints]
            raise ProtocolError(f"{self.name}: no clip of this table takes part: {why}{''.join(hints)}")
        check_keys(chosen)
        if self.units:
            left_out = pd.concat([left_out, without_units(self.name, chosen)])
        differences = self.differences(chosen)
        if differences:
            expected = sum(min(_accepted(n)) for numbers in self.counts.values() for n in numbers.values())
            whole = all("*" in numbers or set(numbers) >= set(self.classes) for numbers in self.counts.values())
            total = f"{len(chosen)} clips, the protocol has {expected}: " if expected and whole else ""
            raise ProtocolError(f"{self.name}: {total}{'; '.join(differences)}")
        return chosen, left_out

    def _reason(self, row: dict[str, Any]) -> str:
        """Why this clip is left out; empty where it is not."""
        if self.databases and row["dataset"] not in self.databases:
            return f"{row['dataset'] or 'a blank database'} is not one of the databases {', '.join(self.databases)}"
        if not row["class"]:
            label = row["label"].strip().casefold()
            return f"{row['dataset']}: label {label!r} has no class" if label else f"{row['dataset']}: no label"
        for entry in self.drop:
            known = [key for key in ("dataset", "subject", "clip", "label") if key in entry]
            if all(row[key].strip().casefold() == entry[key].casefold() for key in known):
                return (
                    f"{row['dataset']}: {row['subject']}/{row['clip']}, {entry.get('why', 'dropped by the protocol')}"
                )
        return ""

    def differences(self, chosen: pd.DataFrame) -> list[str]:
        """Where the numbers of the chosen clips are not those of the protocol, one sentence a database."""
        out = []
        for dataset in self.databases:
            here = chosen[chosen["dataset"] == dataset]
            found = {**here["class"].value_counts(), ANY: len(here)}
            odd = [
                f"{dataset} has {found.get(name, 0)} {name} clips, not ".replace(" * ", " ")
                + " or ".join(map(str, _accepted(number)))
                for name, number in self.counts.get(dataset, {}).items()
                if found.get(name, 0) not in _accepted(number)
            ]
            people = len(set(people_of(here)))
            if not odd and people != self.people.get(dataset, people):
                odd = [f"{dataset} has {people} people, not {self.people[dataset]}"]
            if here.empty and odd:
                odd = [f"there is no clip of {dataset}"]
            elif odd and dataset in self.hints:
                odd[-1] += f" ({self.hints[dataset]})"
            out += [", ".join(odd)] if odd else []
        total = len(set(people_of(chosen)))
        if not out and total != self.people.get(ANY, total):
            out = [f"{total} people, not {self.people[ANY]}"]
        return out

    def classes_of(self, chosen: pd.DataFrame) -> tuple[str, ...]:
        """The classes, in the order of the confusion matrix: the protocol's, or else the labels found, sorted."""
        if self.units:
            return ("absent", "present")  # of each unit
        classes = self.classes or tuple(sorted(set(chosen["class"])))
        if len(classes) < 2:
            raise ProtocolError(
                f"{self.name}: all clips have the label {classes[0]!r}; it takes two classes to tell apart"
            )
        return classes

    def folds(self, chosen: pd.DataFrame) -> Iterator[Fold]:
        """Fold by fold: its name, the rows that train, the rows that are tested (positions in `chosen`)."""
        try:
            yield from folds_of(chosen, self.split)
        except ProtocolError as error:
            raise ProtocolError(f"{self.name}: {error}") from error


def _accepted(number: int | tuple[int, ...]) -> tuple[int, ...]:
    return number if isinstance(number, tuple) else (number,)


def read_protocol(path: str | Path | Traversable, name: str = "") -> Protocol:
    """Read a protocol from a YAML file; `ProtocolError` names the key that is wrong."""
    path = Path(path) if isinstance(path, str) else path
    try:
        text = path.read_text(encoding="utf-8")
        content = yaml.safe_load(text) or {}
    except (OSError, UnicodeDecodeError) as error:
        raise ProtocolError(f"cannot read the protocol {path} ({error})") from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:  # ValueError: a date or a number that is none
        raise ProtocolError(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise ProtocolError(f"{path}: expected keys such as classes and labels, found {type(content).__name__}")
    keys = [part.name for part in fields(Protocol) if part.name != "name"]
    unknown = [str(key) for key in content if key not in keys]
    if unknown:
        raise ProtocolError(f"{path}: unknown key {', '.join(unknown)}; the keys are {', '.join(keys)}")
    try:
        return Protocol(name=name or Path(path.name).stem, **parts_of(content))
    except Unquoted as error:
        raise ProtocolError(f"{path}: {Unquoted(error.where, error.value, as_written(text, error.value))}") from error
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise ProtocolError(f"{path}: {error}") from error


class _Protocols(Mapping[str, Protocol]):
    """Name -> protocol, each read from `protocols/` when it is asked for."""

    @staticmethod
    def _folder() -> Traversable:
        inside = importlib.resources.files("mer") / "protocols"
        return inside if inside.is_dir() else Path(__file__).parents[3] / "protocols"  # beside it, in a checkout

    def __getitem__(self, name: str) -> Protocol:
        if name not in list(self):
            raise KeyError(name)
        return read_protocol(self._folder() / f"{name}.yaml", name)

    def __iter__(self) -> Iterator[str]:
        names = [entry.name[:-5] for entry in self._folder().iterdir() if entry.name.endswith(".yaml")]
        return iter(sorted(names, key=lambda name: (name != "loso", name)))

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
