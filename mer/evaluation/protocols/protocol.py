"""Protocols: which clips take part, their classes, and the folds. Each is a YAML file.

A protocol is data, in `protocols/NAME.yaml` or in your own file; adding one needs no Python. All keys are optional:

===========  =========================================================================================================
key          content
===========  =========================================================================================================
title        one line for the list of protocols
source       where the rules come from
classes      the classes, in the order of the confusion matrix; by default, the labels of the table
labels       database -> annotated label -> class, in any case; `"*"` means every database. A label that is a class
             needs no entry; clips with another label, or with one whose class is `null`, are left out. The protocol
             takes the databases named in `labels`, `counts`, `people` and `split`, or every database if none is named
units        action units to detect, each present or absent, instead of classes
drop         clips to leave out: a list of `{dataset, subject, clip, label, why}`, the last two optional; with a label,
             only if the clip has that label
counts       database -> class -> number of clips, or a list of numbers if releases differ; the class `"*"` means all
             classes. A table with other numbers is rejected
people       database -> number of people; `"*"` for all databases together
hints        database -> a hint for the error message if its numbers differ
split        who is tested (:mod:`mer.evaluation.protocols.folds`); by default, one person at a time
spotting     for long videos (:mod:`mer.spotting`): `{iou: 0.5, kinds: [micro, macro], recognize: false}`
list_sha256  SHA-256 of the organizers' own list of clips (:mod:`mer.evaluation.protocols.organizers_list`)
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

from mer.datasets.action_units import parse_aus
from mer.datasets.samples import KEY
from mer.evaluation.protocols.folds import Fold, ProtocolError, Split, folds_of, people_of
from mer.evaluation.protocols.organizers_list import join_list, read_list
from mer.evaluation.protocols.yaml_schema import Unquoted, as_written, protocol_fields

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

__all__ = ["PROTOCOLS", "Protocol", "ProtocolError", "find_protocol", "read_protocol"]

ANY = "*"
WITHOUT = "not left out, but taken as without action units, since none can be read in the cell: "  # and the database


@dataclass(frozen=True)
class Protocol:
    """One protocol; the docstring of the module describes the attributes."""

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
        """The databases of the protocol; empty if every database takes part."""
        split = self.split if isinstance(self.split, dict) else {}
        sides = [*split.get("train", ()), *split.get("test", ())]
        return tuple(sorted({*self.labels, *self.counts, *self.people, *sides} - {ANY}))

    @property
    def sha256(self) -> str:
        """SHA-256 of the rules, without name, title, source and hints, as JSON with sorted keys."""
        rules = {key: value for key, value in asdict(self).items() if key not in ("name", "title", "source", "hints")}
        if not self.spotting:  # keeps the hashes from before there was this key
            del rules["spotting"]
        return hashlib.sha256(json.dumps(rules, sort_keys=True).encode()).hexdigest()

    def class_of(self, dataset: str, label: str, aus: str = "") -> str | None:
        """The class of an annotated label; None if the protocol leaves the clip out."""
        label = label.strip().casefold()
        if self.databases and dataset not in self.databases:
            return None
        classes = {**self.labels.get(ANY, {}), **self.labels.get(dataset, {})}
        if label in classes:
            return classes[label]
        if self.units:  # the label does not matter
            present = {unit.number for unit in parse_aus(aus)[0] if unit.sure}
            return "+".join(str(unit) for unit in self.units if unit in present) or "none"
        if label in self.classes:
            return label
        return label if label and not (self.classes or classes) else None

    def select(self, samples: pd.DataFrame, megc_csv: str | Path | None = None) -> tuple[pd.DataFrame, pd.Series]:
        """Select the clips of the protocol, and count the others by reason.

        Parameters
        ----------
        samples : DataFrame
            A samples table (:mod:`mer.datasets.samples`), including clips whose flow failed.
        megc_csv : str or Path, optional
            The organizers' own list: exactly its clips are taken, with its classes.

        Returns
        -------
        selected : DataFrame
            The rows that take part, in the same order and with the same index, and a column `class`. With action units,
            it has those that are present (`4+7`), or `none`.
        left_out : Series
            Reason -> number of clips. With action units, the reason :data:`WITHOUT` and a database counts the clips
            that take part without a readable unit: all their units count as absent.

        Raises
        ------
        ProtocolError
            If no clip takes part, or if the numbers differ from those of the protocol; the message names the database
            and class, and with the organizers' list the clips.
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
                raise ProtocolError(f"{self.name}: this protocol has no organizers' list; omit --megc-csv")
            listed = read_list(megc_csv, self.list_sha256)
            table, reasons = join_list(self.name, table, reasons, listed, self.class_of)
        selected = table[reasons == ""]
        left_out = reasons[reasons != ""].value_counts()
        if selected.empty:
            why = "; ".join(f"{reason} ({n})" for reason, n in left_out.head(3).items()) or "the table is empty"
            hints = [f"; {self.hints[name]}" for name in sorted(set(table["dataset"])) if name in self.hints]
            raise ProtocolError(f"{self.name}: no clip of the table takes part: {why}{''.join(hints)}")
        _check_keys(selected)
        if self.units:
            left_out = pd.concat([left_out, self._without_units(selected)])
        differences = self.differences(selected)
        if differences:
            expected = sum(min(_accepted(n)) for numbers in self.counts.values() for n in numbers.values())
            whole = all("*" in numbers or set(numbers) >= set(self.classes) for numbers in self.counts.values())
            total = f"{len(selected)} clips, the protocol has {expected}: " if expected and whole else ""
            raise ProtocolError(f"{self.name}: {total}{'; '.join(differences)}")
        return selected, left_out

    def _reason(self, row: dict[str, Any]) -> str:
        """Why a clip is left out; empty if it takes part."""
        if self.databases and row["dataset"] not in self.databases:
            return f"{row['dataset'] or 'a blank database'} is not one of the databases {', '.join(self.databases)}"
        if not row["class"]:
            label = row["label"].strip().casefold()
            return f"{row['dataset']}: label {label!r} has no class" if label else f"{row['dataset']}: no label"
        for entry in self.drop:
            keys = [key for key in ("dataset", "subject", "clip", "label") if key in entry]
            if all(row[key].strip().casefold() == entry[key].casefold() for key in keys):
                return (
                    f"{row['dataset']}: {row['subject']}/{row['clip']}, {entry.get('why', 'dropped by the protocol')}"
                )
        return ""

    def _without_units(self, selected: pd.DataFrame) -> pd.Series:
        """Database -> number of clips without a readable action unit, as reasons that begin with :data:`WITHOUT`.

        `ProtocolError` if a database has no readable unit at all: its flow was extracted without action units.
        """
        unread = ~selected["aus"].map(lambda text: bool(parse_aus(text)[0])).astype(bool)
        counts = {}
        for dataset, rows in unread.groupby(selected["dataset"]):
            if rows.all():
                raise ProtocolError(
                    f"{self.name}: no clip of {dataset} has a readable action unit in the column 'aus'; extract its "
                    "flow with a sheet that has action units"
                )
            if rows.any():
                counts[f"{WITHOUT}{dataset}"] = int(rows.sum())
        return pd.Series(counts, dtype="int64")

    def differences(self, selected: pd.DataFrame) -> list[str]:
        """The differences between the numbers of the table and those of the protocol, one sentence per database."""
        out = []
        for dataset in self.databases:
            rows = selected[selected["dataset"] == dataset]
            counts = {**rows["class"].value_counts(), ANY: len(rows)}
            wrong = [
                f"{dataset} has {counts.get(name, 0)} {name} clips, not ".replace(" * ", " ")
                + " or ".join(map(str, _accepted(number)))
                for name, number in self.counts.get(dataset, {}).items()
                if counts.get(name, 0) not in _accepted(number)
            ]
            people = len(set(people_of(rows)))
            if not wrong and people != self.people.get(dataset, people):
                wrong = [f"{dataset} has {people} people, not {self.people[dataset]}"]
            if rows.empty and wrong:
                wrong = [f"there is no clip of {dataset}"]
            elif wrong and dataset in self.hints:
                wrong[-1] += f" ({self.hints[dataset]})"
            out += [", ".join(wrong)] if wrong else []
        total = len(set(people_of(selected)))
        if not out and total != self.people.get(ANY, total):
            out = [f"{total} people, not {self.people[ANY]}"]
        return out

    def classes_of(self, selected: pd.DataFrame) -> tuple[str, ...]:
        """The classes in the order of the confusion matrix; without `classes`, the sorted labels of the table."""
        if self.units:
            return ("absent", "present")  # of each unit
        classes = self.classes or tuple(sorted(set(selected["class"])))
        if len(classes) < 2:
            raise ProtocolError(
                f"{self.name}: all clips have the label {classes[0]!r}; at least two classes are needed"
            )
        return classes

    def folds(self, selected: pd.DataFrame) -> Iterator[Fold]:
        """For each fold its name, the training rows and the test rows (positions in `selected`)."""
        try:
            yield from folds_of(selected, self.split)
        except ProtocolError as error:
            raise ProtocolError(f"{self.name}: {error}") from error


def _check_keys(selected: pd.DataFrame) -> None:
    """`ProtocolError` for a clip without a subject, or one that is in the table twice."""
    blank = selected[selected["subject"].str.strip() == ""]
    if len(blank):
        raise ProtocolError(
            f"row {blank.index[0] + 1}, clip {blank.iloc[0]['clip']!r}, has no subject, which folds by person need"
        )
    twice = selected[selected[KEY].assign(subject=people_of(selected)).duplicated(KEY)]
    if len(twice):
        dataset, subject, clip, onset = twice.iloc[0][KEY]
        raise ProtocolError(f"{dataset}/{subject}/{clip} with onset {onset} is in the table twice; remove one row")


def _accepted(number: int | tuple[int, ...]) -> tuple[int, ...]:
    return number if isinstance(number, tuple) else (number,)


def read_protocol(path: str | Path | Traversable, name: str = "") -> Protocol:
    """Read a protocol from a YAML file; `ProtocolError` names a wrong key."""
    path = Path(path) if isinstance(path, str) else path
    try:
        text = path.read_text(encoding="utf-8")
        content = yaml.safe_load(text) or {}
    except (OSError, UnicodeDecodeError) as error:
        raise ProtocolError(f"cannot read the protocol {path} ({error})") from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:  # ValueError: an impossible date or number
        raise ProtocolError(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise ProtocolError(f"{path}: expected keys such as classes and labels, found {type(content).__name__}")
    keys = [part.name for part in fields(Protocol) if part.name != "name"]
    unknown = [str(key) for key in content if key not in keys]
    if unknown:
        raise ProtocolError(f"{path}: unknown key {', '.join(unknown)}; the keys are {', '.join(keys)}")
    try:
        return Protocol(name=name or Path(path.name).stem, **protocol_fields(content))
    except Unquoted as error:
        raise ProtocolError(f"{path}: {Unquoted(error.where, error.value, as_written(text, error.value))}") from error
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise ProtocolError(f"{path}: {error}") from error


class _Protocols(Mapping[str, Protocol]):
    """Name -> protocol, read from its file on each access."""

    @staticmethod
    def _folder() -> Traversable:
        installed = importlib.resources.files("mer") / "protocols"
        return installed if installed.is_dir() else Path(__file__).parents[3] / "protocols"  # of a checkout

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
    """The protocol with this name or from this YAML file; a `Protocol` is returned unchanged."""
    if isinstance(protocol, Protocol):
        return protocol
    if str(protocol) in PROTOCOLS:
        return PROTOCOLS[str(protocol)]
    if Path(protocol).suffix in (".yaml", ".yml"):
        return read_protocol(Path(protocol))
    names = ", ".join(PROTOCOLS)
    raise ProtocolError(f"no protocol {str(protocol)!r}; choose from {names}, or give your own .yaml file")
