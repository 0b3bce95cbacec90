"""The databases of the field, as their owners distribute them, as one samples table.

>>> from mer.datasets import load_dataset
>>> table = load_dataset("casme2", "CASME2/")                   # doctest: +SKIP

Each module states the facts of a family of databases: layout, sheet, spelling of labels, published counts, and what is
odd. :mod:`mer.datasets.database` does the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from mer.datasets.casme import CASME
from mer.datasets.casme2 import CASME2
from mer.datasets.casme3 import CASME3, CASME3_C
from mer.datasets.casme_sq import CASME_SQ
from mer.datasets.database import Database
from mer.datasets.dfme import DFME
from mer.datasets.fourdme import FOURDME
from mer.datasets.local_copy import Copy, read_copy
from mer.datasets.mmew import MMEW
from mer.datasets.samm import SAMM, SAMM_LV
from mer.datasets.smic import SMIC, SMIC_E, SMIC_NIR, SMIC_VIS

__all__ = ["DATASETS", "Copy", "Database", "find_dataset", "load_dataset", "read_copy"]

DATASETS: dict[str, Database] = {
    database.name: database
    for database in (
        CASME, CASME2, SAMM, SMIC, SMIC_VIS, SMIC_NIR, SMIC_E, CASME_SQ, SAMM_LV, CASME3, CASME3_C, MMEW, FOURDME, DFME,
    )
}  # fmt: skip


def find_dataset(name: str) -> Database:
    """The facts of a database; `ValueError` lists the known names."""
    if name not in DATASETS:
        raise ValueError(f"no dataset {name!r}; there are {', '.join(DATASETS)}, or a plain folder without --dataset")
    return DATASETS[name]


def load_dataset(
    name: str,
    root: str | Path,
    annotations: str | Path | None = None,
    labels: str = "emotion",
    macro: bool = False,
    warn: Callable[[str], None] | None = None,
) -> pd.DataFrame:
    """The samples table of a copy of a database, before anything is decoded.

    Parameters
    ----------
    name : str
        A name in :data:`DATASETS`.
    root : str or Path
        The folder of the database, or one inside it that holds the frames. Folders are known by their names, so that
        it does not matter how deep they lie.
    annotations : str or Path, optional
        The sheet (`.xlsx`, `.xls`, `.csv`), where it does not lie in or beside `root`.
    labels : {"emotion", "objective"}
        What the column `label` holds: the annotated emotion, or the objective class (`i` to `vii`) of SAMM, CASME II
        and CAS(ME)^3.
    macro : bool
        The macro-expressions of CAS(ME)^2 and SAMM Long Videos, in place of the micro-expressions.
    warn : function, optional
        Gets a sentence about each choice that was made, such as which of two sheets was taken, and each correction.

    Returns
    -------
    DataFrame
        The samples table, with one more column, `source`: the folder of the clip's frames. A row that cannot be used has
        a `status` and a `message` that says why; a `message` alone is a note.

    Raises
    ------
    FileNotFoundError
        If `root` or `annotations` is not there.
    SamplesError
        If there is no sheet or no frames, or the sheet is not one of this database.
    """  # noqa: E501
    copy = read_copy(find_dataset(name), root, annotations, labels, macro)
    if warn is not None:
        for note in copy.notes:
            warn(note)
    return copy.samples
