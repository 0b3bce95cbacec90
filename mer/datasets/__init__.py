"""Micro-expression databases, as their owners distribute them, read into one samples table.

>>> from mer.datasets import load_dataset
>>> table = load_dataset("casme2", "CASME2/")                   # doctest: +SKIP

:data:`DATASETS` holds the facts of each database, a :class:`Database` in a module of its own: `casme`, `casme2`,
`casme3`, `casme_sq`, `dfme`, `fourdme`, `mmew`, `samm`, `smic`. :func:`load_dataset` returns the samples table
(:mod:`mer.datasets.samples`) of a copy, :func:`read_copy` also returns what was found on the disk.
:mod:`mer.datasets.video_folder` reads videos that are not from a database.
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
    """The facts of a database. `ValueError` for an unknown name; the message lists the known ones."""
    if name not in DATASETS:
        raise ValueError(
            f"unknown dataset {name!r}; expected {', '.join(DATASETS)}, or no --dataset for a folder of videos"
        )
    return DATASETS[name]


def load_dataset(
    name: str,
    root: str | Path,
    annotations: str | Path | None = None,
    labels: str = "emotion",
    macro: bool = False,
    warn: Callable[[str], None] | None = None,
) -> pd.DataFrame:
    """The samples table of a copy of a database; no frame is decoded.

    Parameters
    ----------
    name : str
        A name in :data:`DATASETS`.
    root : str or Path
        The folder of the database, or a folder inside it that holds the frames, at any depth.
    annotations : str or Path, optional
        The sheet (`.xlsx`, `.xls`, `.csv`), if it is not in or beside `root`.
    labels : {"emotion", "objective"}
        Content of the column `label`: the annotated emotion, or the objective class (`i` to `vii`) of SAMM, CASME II
        and CAS(ME)^3.
    macro : bool
        Return the macro-expressions of CAS(ME)^2 and SAMM Long Videos instead of the micro-expressions.
    warn : function, optional
        Called with a sentence about each choice, such as which of two sheets is used, and each correction.

    Returns
    -------
    DataFrame
        The samples table, with an additional column `source`: the folder of the clip's frames. A row that cannot be
        used has a `status`, and a `message` that says why; a `message` alone is a note.

    Raises
    ------
    FileNotFoundError
        If `root` or `annotations` does not exist.
    SamplesError
        If there is no sheet or no frames, or the sheet belongs to another database.
    """
    copy = read_copy(find_dataset(name), root, annotations, labels, macro)
    if warn is not None:
        for note in copy.notes:
            warn(note)
    return copy.samples
