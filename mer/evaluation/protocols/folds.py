"""Who is tested on whom: folds by person or by database. The splitting is scikit-learn's.

===================================  ===============================================================================
`split` of a protocol                folds
===================================  ===============================================================================
`person` (the default)               one person is tested, all others train: leave one subject out
`dataset`                            one database is tested, all others train: leave one database out
`{folds: 10}`                        people in so many folds of about equal numbers of clips, the same ones every time
`{folds: {first: [sub01, ...]}}`     the people that are named, fold by fold, as where organizers fixed them
`{train: [casme2], test: [samm]}`    one fold: some databases train, others are tested
===================================  ===============================================================================

Whatever the split, a person is never on both sides: who is tested does not train, also where two databases hold the
same people.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import GroupKFold, LeaveOneGroupOut, PredefinedSplit

from mer.datasets.identifiers import subject_name

Split = str | dict[str, Any]
Fold = tuple[str, np.ndarray, np.ndarray]  # its name, the rows that train, the rows that are tested

# Databases of the same people, under the same numbers.
SAME_PEOPLE = {"samm-lv": "samm", "smic-vis": "smic", "smic-nir": "smic", "smic-e": "smic"}


class ProtocolError(ValueError):
    """A protocol that is not there or not right, or a table that does not fit it."""


def people_of(samples: pd.DataFrame) -> np.ndarray:
    """`dataset/subject` of each row `(n,)`: names of subjects repeat between databases.

    However a table spells a person of a known database (`1`, `Sub01`), it is one person, `sub01`: they must not be on
    both sides of a fold. People of other databases keep their names, blanks around them aside.
    """
    rows = list(zip(samples["dataset"], samples["subject"]))
    names = {row: _person(*row) for row in set(rows)}
    return np.array([names[row] for row in rows], dtype=object)


def _person(dataset: str, subject: str) -> str:
    return f"{SAME_PEOPLE.get(dataset, dataset)}/{subject_name(dataset, subject)}"


def folds_of(samples: pd.DataFrame, split: Split = "person") -> Iterator[Fold]:
    """Fold by fold: its name, the rows that train, the rows that are tested (positions in `samples`).

    `ProtocolError` where the table has too few people or databases for the split, or people that it does not name.
    """
    people = people_of(samples)
    for name, train, test in _folds(samples, people, split):
        kept = train[~np.isin(people[train], people[test])]
        if not len(kept):
            raise ProtocolError(f"nobody is left to train for {name}: all other clips are of the same people")
        yield name, kept, test


def _folds(samples: pd.DataFrame, people: np.ndarray, split: Split) -> Iterator[Fold]:
    rows = np.arange(len(samples))
    databases = samples["dataset"].to_numpy(dtype=object)
    if split == "person":
        if len(set(people)) < 2:
            raise ProtocolError(f"all clips are of one person, {people[0]}; it takes two to leave one out")
        yield from ((people[test[0]], train, test) for train, test in LeaveOneGroupOut().split(rows, groups=people))
    elif split == "dataset":
        if len(set(databases)) < 2:
            raise ProtocolError(f"all clips are of one database, {databases[0]}; it takes two to leave one out")
        for train, test in LeaveOneGroupOut().split(rows, groups=databases):
            yield databases[test[0]], train, test
    elif isinstance(split, dict) and "test" in split:
        tested = np.isin(databases, split["test"])
        for side, found in (("train", ~tested), ("test", tested)):
            if not found.any():
                raise ProtocolError(f"there is no clip of {', '.join(split[side])}, which {side}")
        for train, test in PredefinedSplit(np.where(tested, 0, -1)).split():
            yield f"{'+'.join(split['train'])} to {'+'.join(split['test'])}", train, test
    elif isinstance(split, dict) and isinstance(split["folds"], int):
        if len(set(people)) < split["folds"]:
            raise ProtocolError(f"{len(set(people))} people are too few for {split['folds']} folds")
        splitter = GroupKFold(split["folds"])
        for number, (train, test) in enumerate(splitter.split(rows, groups=people), 1):
            yield f"fold {number:02}", train, test
    elif isinstance(split, dict):
        names, fold = list(split["folds"]), _named(samples, people, split["folds"])
        for train, test in PredefinedSplit(fold).split():
            yield names[fold[test[0]]], train, test


def _named(samples: pd.DataFrame, people: np.ndarray, folds: Mapping[str, list[str]]) -> np.ndarray:
    """The number of each row's fold `(n,)`; people are given by subject, or as `dataset/subject`, which goes first."""
    number = {person: i for i, names in enumerate(folds.values()) for person in names}
    fold: dict[str, int] = {}
    for person, dataset, subject in dict.fromkeys(zip(people, samples["dataset"], samples["subject"])):
        spelled = (person, f"{dataset}/{subject}", person.partition("/")[2], subject)
        i = next((number[name] for name in spelled if name in number), None)
        if i is not None and fold.setdefault(person, i) != i:
            raise ProtocolError(f"two folds have {person}, who is spelled in two ways")
    nowhere = sorted(set(people) - set(fold))
    if nowhere:
        raise ProtocolError(f"no fold has {', '.join(nowhere[:5])}{' and others' if len(nowhere) > 5 else ''}")
    return np.array([fold[person] for person in people])


def check_split(value: object) -> Split:
    """The `split` of a YAML file as it is, or `ValueError` that says what is wrong with it."""
    if value in ("person", "dataset"):
        return str(value)
    if isinstance(value, dict) and set(value) == {"train", "test"}:
        sides = [value["train"], value["test"]]
        texts = all(isinstance(side, list) and side and all(isinstance(name, str) for name in side) for side in sides)
        if texts and not set(sides[0]) & set(sides[1]):
            return value
        raise ValueError("split: train and test are lists of databases that have none in common")
    if isinstance(value, dict) and set(value) == {"folds"}:
        folds = value["folds"]
        if isinstance(folds, int) and not isinstance(folds, bool) and folds > 1:
            return value
        if isinstance(folds, dict) and len(folds) > 1 and all(isinstance(names, list) for names in folds.values()):
            named = [name for names in folds.values() for name in names]
            if all(isinstance(name, str) for name in [*folds, *named]) and len(set(named)) == len(named):
                return value
        raise ValueError("split: folds is a number above 1, or fold -> list of people, each in one fold and in quotes")
    raise ValueError(f"split is person, dataset, {{folds: ...}} or {{train: [...], test: [...]}}, found {value!r}")
