"""Import a published set and collect the notes."""

import pandas as pd

from mer.extraction.import_flow import import_flow


def imported(table: pd.DataFrame, folder, **options) -> tuple[pd.DataFrame, list[str]]:
    notes: list[str] = []
    table.to_csv(folder / "list.csv", index=False)
    options = {"overwrite": True, "warn": notes.append} | options
    return import_flow(folder / "images", folder / "list.csv", folder / "flows", **options), notes
