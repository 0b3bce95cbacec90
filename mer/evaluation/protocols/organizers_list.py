"""Joins a samples table with the list of clips that the organizers of a challenge published."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from mer.datasets.identifiers import clip_key
from mer.evaluation.protocols.folds import ProtocolError

COLUMNS = ("dataset", "subject", "clip", "label")
SHOWN = 10  # clips named in a message


def read_list(path: str | Path, sha256: str) -> pd.DataFrame:
    """Read `dataset, subject, clip, label` from a CSV without a header.

    `ProtocolError` if the file is not the organizers' own: `sha256` must be that of the bytes, or of the bytes with
    Windows line ends replaced, since Git may convert them.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise ProtocolError(f"cannot read the organizers' list {path} ({error.strerror})") from error
    actual = hashlib.sha256(content).hexdigest()
    if sha256 not in (actual, hashlib.sha256(content.replace(b"\r\n", b"\n")).hexdigest()):
        raise ProtocolError(
            f"{path} is not the organizers' list: its SHA-256 is {actual}, not {sha256}; download it again, unchanged"
        )
    try:
        lines = content.decode("utf-8-sig").splitlines()
        rows = [[cell.strip() for cell in row] for row in csv.reader(lines) if any(row)]
    except (csv.Error, UnicodeDecodeError) as error:
        raise ProtocolError(f"{path} is not a table of comma-separated values ({error})") from error
    wrong = next((i for i, row in enumerate(rows, 1) if len(row) != len(COLUMNS)), None)
    if wrong is not None:
        raise ProtocolError(f"{path}, line {wrong}: expected {', '.join(COLUMNS)}, found {','.join(rows[wrong - 1])}")
    return pd.DataFrame(rows, columns=list(COLUMNS), dtype=object)


def join_list(
    name: str,
    table: pd.DataFrame,
    reasons: pd.Series,
    listed: pd.DataFrame,
    class_of: Callable[[str, str], str | None],
) -> tuple[pd.DataFrame, pd.Series]:
    """Take the clips and classes of the list, which override the annotations of later sheets.

    Parameters
    ----------
    name : str
        The name of the protocol, for messages.
    table : DataFrame
        A samples table with `class`, the class of each label by the rules of the protocol, or empty.
    reasons : Series
        Why the rules leave out a row; empty if they do not.
    listed : DataFrame
        The result of :func:`read_list`.
    class_of : function
        `(dataset, label of the list) -> class`.

    Returns
    -------
    table, reasons
        With the class of the list for every row on it, and a reason for every other row.

    Raises
    ------
    ProtocolError
        If clips of the list are missing in the table, are in it twice or have another class there, or if the rules take
        a clip that is not on the list. The message names the clips.
    """
    classes = {
        clip_key(row["dataset"], row["subject"], row["clip"]): class_of(row["dataset"], row["label"]) or ""
        for row in listed.to_dict("records")
    }
    keys = [clip_key(*row) for row in table[["dataset", "subject", "clip"]].itertuples(index=False)]
    on_list = pd.Series([key in classes for key in keys], table.index)
    named = pd.Series([classes.get(key, "") for key in keys], table.index, dtype=object)
    clips = pd.Series([_clip(key) for key in keys], table.index, dtype=object)

    missing = [f"{_clip(key)} ({value})" for key, value in classes.items() if key not in set(keys)]
    extra = ~on_list & (reasons == "")
    twice = on_list & clips.duplicated()
    different = on_list & (table["class"] != "") & (table["class"] != named)
    labels = " (" + table["class"] + ")"
    wrong = {
        "missing": missing,
        "not on the list": (clips + labels)[extra].tolist(),
        "in the table twice": (clips + labels)[twice].tolist(),
        "of another class on the list, perhaps because subjects or clips are mixed up": (
            clips + " (" + table["class"] + ", the list has " + named + ")"
        )[different].tolist(),
    }
    problems = [f"{what}: {_some(names)}" for what, names in wrong.items() if names]
    if problems:
        n = int((on_list | extra).sum())
        raise ProtocolError(f"{name}: {n} clips, the organizers' list has {len(classes)}; {'; '.join(problems)}")
    reasons = reasons.where(reasons != "", "not on the organizers' list")
    return table.assign(**{"class": named}), reasons.where(~on_list, "")


def _clip(key: tuple[str, str, str]) -> str:
    return "/".join(key)


def _some(clips: list[str]) -> str:
    more = f" and {len(clips) - SHOWN} more" if len(clips) > SHOWN else ""
    return ", ".join(clips[:SHOWN]) + more
