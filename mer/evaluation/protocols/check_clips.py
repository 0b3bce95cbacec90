"""What is checked of the clips that a protocol has chosen, before their numbers are."""

from __future__ import annotations

import pandas as pd

from mer.datasets.action_units import parse_aus
from mer.datasets.samples import KEY
from mer.evaluation.protocols.folds import ProtocolError, people_of

WITHOUT = "not left out, but taken as without action units, since none can be read in the cell: "


def without_units(name: str, chosen: pd.DataFrame) -> pd.Series:
    """How many clips are taken as without action units since none can be read in their cell, database by database.

    `ProtocolError` where that is so of a whole database: its flow was extracted without the units.
    """
    unread = ~chosen["aus"].map(lambda text: bool(parse_aus(text)[0])).astype(bool)
    found = {}
    for dataset, rows in unread.groupby(chosen["dataset"]):
        if rows.all():
            raise ProtocolError(
                f"{name}: no clip of {dataset} has an action unit that can be read in the column 'aus'; extract its "
                "flow from a sheet with action units"
            )
        if rows.any():
            found[f"{WITHOUT}{dataset}"] = int(rows.sum())
    return pd.Series(found, dtype="int64")


def check_keys(chosen: pd.DataFrame) -> None:
    """`ProtocolError` for a clip without a person, or one that stands in the table twice."""
    nobody = chosen[chosen["subject"].str.strip() == ""]
    if len(nobody):
        raise ProtocolError(
            f"row {nobody.index[0] + 1}, clip {nobody.iloc[0]['clip']!r}, has no subject; folds are people"
        )
    twice = chosen[chosen[KEY].assign(subject=people_of(chosen)).duplicated(KEY)]
    if len(twice):
        dataset, subject, clip, onset = twice.iloc[0][KEY]
        raise ProtocolError(f"{dataset}/{subject}/{clip} with onset {onset} stands in the table twice; remove one row")
