"""Corrections of known mistakes in annotation sheets, read from `corrections.csv`.

A correction is keyed by `(dataset, subject, clip, onset)`, with the onset as in the sheet, not by row number, since the
rows of copies differ. It is applied only if the cell holds the value `old`.
"""

from __future__ import annotations

import importlib.resources
from pathlib import Path

import pandas as pd

from mer.datasets.tables import is_blank


def read_corrections(path: Path | None = None) -> pd.DataFrame:
    """The table of corrections: `dataset, subject, clip, onset, column, old, new, why`, all text."""
    if path is not None:
        return pd.read_csv(path, dtype=str, keep_default_na=False)
    with importlib.resources.as_file(importlib.resources.files("mer.datasets") / "corrections.csv") as file:
        return pd.read_csv(file, dtype=str, keep_default_na=False)


def correct(rows: pd.DataFrame, dataset: str, corrections: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Apply the corrections of a database.

    Parameters
    ----------
    rows : DataFrame
        The sheet as text, with canonical subjects.
    dataset : str
    corrections : DataFrame
        See :func:`read_corrections`. There may be several for one cell, with different old values.

    Returns
    -------
    rows : DataFrame
        The corrected rows.
    notes : list of str
        A sentence for each correction that was applied or did not match.
    """
    rows, notes = rows.copy(), []
    corrections = corrections[corrections["dataset"] == dataset]
    for (subject, clip, onset, column), group in corrections.groupby(
        ["subject", "clip", "onset", "column"], sort=False
    ):
        what = f"{subject}/{clip}, onset {onset}"
        same = (
            (rows["subject"] == subject) & (rows["clip"].str.casefold() == clip.casefold()) & (rows["onset"] == onset)
        )
        if column not in rows or not same.any():
            notes.append(f"{what}: not in this sheet; the correction of its {column} was not applied")
            continue
        i = same.idxmax()
        value = rows.at[i, column]
        matching = group[group["old"] == value]
        if len(matching):
            entry = matching.iloc[0]
            rows.at[i, column] = entry["new"]
            notes.append(
                f"{what}: {column} changed from {value or 'blank'} to {entry['new'] or 'blank'} ({entry['why']})"
            )
        elif value not in list(group["new"]) and not (is_blank(value) and "" in list(group["new"])):
            expected = " or ".join(group["old"])
            notes.append(f"{what}: the {column} is {value or 'blank'}, not {expected}; the correction was not applied")
    return rows, notes
