"""Folds by person or by database, split by scikit-learn.

===================================  ===============================================================================
`split` of a protocol                folds
===================================  ===============================================================================
`person` (the default)               leave-one-subject-out: one person is tested, all others train
`dataset`                            leave-one-database-out: one database is tested, all others train
`{folds: 10}`                        people in ten folds with similar numbers of clips, always the same
`{folds: {first: [sub01, ...]}}`     the named people per fold, for folds that organizers fixed
`{train: [casme2], test: [samm]}`    one fold: some databases train, others are tested
===================================  ===============================================================================

No person is both in training and test, even if two databases have the same people.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import GroupKFold, LeaveOneGroupOut, PredefinedSplit

from mer.datasets.identifiers import one_spelling

Split = str | dict[str, Any]
Fold = tuple[str, np.ndarray, np.ndarray]  # name, training rows, test rows

# Databases with the same people under the same numbers.
SAME_PEOPLE = {"samm-lv": "samm", "smic-vis": "smic", "smic-nir": "smic", "smic-e": "smic"}


class ProtocolError(ValueError):
    """A protocol is missing or wrong, or a table does not fit it."""


def people_of(samples: pd.DataFrame) -> np.ndarray:
    """`dataset/subject` of each row `(n,)`, since databases use the same names of subjects.

    All spellings of a person (`1`, `Sub01`) become one (:func:`mer.datasets.identifiers.one_spelling`), so that no
    person is on both sides of a fold.
    """
    rows = [
        (SAME_PEOPLE.get(dataset, dataset), subject) for dataset, subject in zip(samples["dataset"], samples["subject"])
    ]
    names = one_spelling(rows)
    return np.array([f"{row[0]}/{names[row]}" for row in rows], dtype=object)


def folds_of(samples: pd.DataFrame, split: Split = "person") -> Iterator[Fold]:
    """For each fold its name, the training rows and the test rows (positions in `samples`).

    `ProtocolError` if the table has too few people or databases for the split, or people that the split lacks.
    """
    people = people_of(samples)
    for name, train, test in _folds(samples, people, split):
        train = train[~np.isin(people[train], people[test])]
        if not len(train):
            raise ProtocolError(f"no clip is left to train on for fold {name}: all other clips show the same people")
        yield name, train, test


def _folds(samples: pd.DataFrame, people: np.ndarray, split: Split) -> Iterator[Fold]:
    rows = np.arange(len(samples))
    databases = samples["dataset"].to_numpy(dtype=object)
    if split == "person":
        if len(set(people)) < 2:
            raise ProtocolError(f"all clips show one person, {people[0]}; leave-one-subject-out needs two")
        yield from ((people[test[0]], train, test) for train, test in LeaveOneGroupOut().split(rows, groups=people))
    elif split == "dataset":
        if len(set(databases)) < 2:
            raise ProtocolError(f"all clips come from one database, {databases[0]}; leave-one-database-out needs two")
        for train, test in LeaveOneGroupOut().split(rows, groups=databases):
            yield databases[test[0]], train, test
    elif isinstance(split, dict) and "test" in split:
        tested = np.isin(databases, split["test"])
        for side, rows_of_side in (("train", ~tested), ("test", tested)):
            if not rows_of_side.any():
                raise ProtocolError(f"there is no {side} clip: the table has no clips of {', '.join(split[side])}")
        for train, test in PredefinedSplit(np.where(tested, 0, -1)).split():
            yield f"{'+'.join(split['train'])} to {'+'.join(split['test'])}", train, test
    elif isinstance(split, dict) and isinstance(split["folds"], int):
        if len(set(people)) < split["folds"]:
            raise ProtocolError(f"{len(set(people))} people are too few for {split['folds']} folds by person")
        splitter = GroupKFold(split["folds"])
        for number, (train, test) in enumerate(splitter.split(rows, groups=people), 1):
            yield f"fold {number:02}", train, test
    elif isinstance(split, dict):
        names, fold = list(split["folds"]), _named(samples, people, split["folds"])
        for train, test in PredefinedSplit(fold).split():
            yield names[fold[test[0]]], train, test


def _named(samples: pd.DataFrame, people: np.ndarray, folds: Mapping[str, list[str]]) -> np.ndarray:
    """The number of each row's fold `(n,)`; `dataset/subject` takes precedence over a subject alone."""
    number = {person: i for i, names in enumerate(folds.values()) for person in names}
    fold: dict[str, int] = {}
    for person, dataset, subject in dict.fromkeys(zip(people, samples["dataset"], samples["subject"])):
        spellings = (person, f"{dataset}/{subject}", person.partition("/")[2], subject)
        i = next((number[name] for name in spellings if name in number), None)
        if i is not None and fold.setdefault(person, i) != i:
            raise ProtocolError(f"two folds have {person}, in two spellings")
    missing = sorted(set(people) - set(fold))
    if missing:
        raise ProtocolError(f"no fold has {', '.join(missing[:5])}{' and others' if len(missing) > 5 else ''}")
    return np.array([fold[person] for person in people])


def check_split(value: object) -> Split:
    """Return the `split` of a YAML file unchanged; `ValueError` if it is wrong."""
    if value in ("person", "dataset"):
        return str(value)
    if isinstance(value, dict) and set(value) == {"train", "test"}:
        sides = [value["train"], value["test"]]
        texts = all(isinstance(side, list) and side and all(isinstance(name, str) for name in side) for side in sides)
        if texts and not set(sides[0]) & set(sides[1]):
            return value
        raise ValueError("split: train and test are lists of databases with none in common")
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
