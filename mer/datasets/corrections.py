"""Corrections of known mistakes in the sheets: data in `corrections.csv`, each with the old value that it expects.

A correction is known by `(dataset, subject, clip, onset)`, the onset as in the sheet, never by the number of a row:
copies differ in their rows. It is applied where the sheet holds the value `old` and nowhere else.
"""

from __future__ import annotations

import importlib.resources
from pathlib import Path

import pandas as pd

from mer.datasets.annotation_sheet import BLANKS


def read_corrections(path: Path | None = None) -> pd.DataFrame:
    """The table of corrections: `dataset, subject, clip, onset, column, old, new, why`, all of them text."""
    if path is not None:
        return pd.read_csv(path, dtype=str, keep_default_na=False)
    with importlib.resources.as_file(importlib.resources.files("mer.datasets") / "corrections.csv") as file:
        return pd.read_csv(file, dtype=str, keep_default_na=False)


def correct(rows: pd.DataFrame, dataset: str, corrections: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Apply what fits; the corrected rows, and a sentence for each correction that was applied or did not fit.

    Parameters
    ----------
    rows : DataFrame
        The sheet as text, with canonical subjects.
    dataset : str
    corrections : DataFrame
        See :func:`read_corrections`. Several may aim at one cell, for copies that differ.
    """
    rows, notes = rows.copy(), []
    ours = corrections[corrections["dataset"] == dataset]
    for (subject, clip, onset, column), group in ours.groupby(["subject", "clip", "onset", "column"], sort=False):
        what = f"{subject}/{clip}, onset {onset}"
        hit = (rows["subject"] == subject) & (rows["clip"].str.casefold() == clip.casefold()) & (rows["onset"] == onset)
        if column not in rows or not hit.any():
            notes.append(f"{what}: not in this sheet, so its correction of the {column} was not applied")
            continue
        i = hit.idxmax()
        value = rows.at[i, column]
        fits = group[group["old"] == value]
        if len(fits):
            entry = fits.iloc[0]
            rows.at[i, column] = entry["new"]
            notes.append(f"{what}: {column} {value or 'blank'} made {entry['new'] or 'blank'} ({entry['why']})")
        elif value not in (*group["new"], *(BLANKS if "" in list(group["new"]) else ())):
            expected = " or ".join(group["old"])
            notes.append(f"{what}: the {column} is {value or 'blank'}, not {expected}: its correction was not applied")
    return rows, notes
