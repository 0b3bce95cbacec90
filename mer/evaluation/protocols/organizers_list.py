"""The list of clips that the organizers of a challenge published, joined with a samples table."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from mer.datasets.identifiers import clip_key
from mer.evaluation.protocols.folds import ProtocolError

COLUMNS = ("dataset", "subject", "clip", "label")
SHOWN = 10  # clips that a message names


def read_list(path: str | Path, sha256: str) -> pd.DataFrame:
    """Read `dataset, subject, clip, label` from a CSV without a header.

    `ProtocolError` where the file is not the organizers' own: its SHA-256 is that of the bytes, or of the same lines
    with plain line feeds, since Git and Windows exchange those.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise ProtocolError(f"cannot read the organizers' list {path} ({error.strerror})") from error
    found = hashlib.sha256(content).hexdigest()
    if sha256 not in (found, hashlib.sha256(content.replace(b"\r\n", b"\n")).hexdigest()):
        raise ProtocolError(
            f"{path} is not the organizers' list: its SHA-256 is {found}, not {sha256}; download it again, unchanged"
        )
    try:
        lines = content.decode("utf-8-sig").splitlines()
        rows = [[cell.strip() for cell in row] for row in csv.reader(lines) if any(row)]
    except (csv.Error, UnicodeDecodeError) as error:
        raise ProtocolError(f"{path} is not a table of comma-separated values ({error})") from error
    odd = next((i for i, row in enumerate(rows, 1) if len(row) != len(COLUMNS)), None)
    if odd is not None:
        raise ProtocolError(f"{path}, line {odd}: expected {', '.join(COLUMNS)}, found {','.join(rows[odd - 1])}")
    return pd.DataFrame(rows, columns=list(COLUMNS), dtype=object)


def join_list(
    name: str,
    table: pd.DataFrame,
    reasons: pd.Series,
    listed: pd.DataFrame,
    class_of: Callable[[str, str], str | None],
) -> tuple[pd.DataFrame, pd.Series]:
    """The table with the list's clips and classes, which count more than the annotations of a later sheet.

    Parameters
    ----------
    name : str
        The protocol's, for messages.
    table : DataFrame
        A samples table with `class`, what the protocol's rules make of each label; empty where they leave it out.
    reasons : Series
        Why a row is left out by the rules; empty where it is not.
    listed : DataFrame
        As :func:`read_list` gives it.
    class_of : function
        `(dataset, label of the list) -> class`.

    Returns
    -------
    table, reasons
        With the class of the list in every row that is on it, and a reason in every other row.

    Raises
    ------
    ProtocolError
        Names the clips that are missing, that the rules would take and the list has not, that stand in the table
        twice, or whose class is another one.
    """
    classes = {
        clip_key(row["dataset"], row["subject"], row["clip"]): class_of(row["dataset"], row["label"]) or ""
        for row in listed.to_dict("records")
    }
    keys = [clip_key(*row) for row in table[["dataset", "subject", "clip"]].itertuples(index=False)]
    on_list = pd.Series([key in classes for key in keys], table.index)
    named = pd.Series([classes.get(key, "") for key in keys], table.index, dtype=object)
    places = pd.Series([_place(key) for key in keys], table.index, dtype=object)

    missing = [f"{_place(key)} ({value})" for key, value in classes.items() if key not in set(keys)]
    extra = ~on_list & (reasons == "")
    twice = on_list & places.duplicated()
    other = on_list & (table["class"] != "") & (table["class"] != named)
    labels = " (" + table["class"] + ")"
    wrong = {
        "missing": missing,
        "not on the list": (places + labels)[extra].tolist(),
        "there twice": (places + labels)[twice].tolist(),
        "of another class on the list, as where subjects or clips are mixed up": (
            places + " (" + table["class"] + ", the list has " + named + ")"
        )[other].tolist(),
    }
    problems = [f"{what}: {_some(clips)}" for what, clips in wrong.items() if clips]
    if problems:
        n = int((on_list | extra).sum())
        raise ProtocolError(f"{name}: {n} clips, the organizers' list has {len(classes)}; {'; '.join(problems)}")
    left = reasons.where(reasons != "", "not on the organizers' list")
    return table.assign(**{"class": named}), left.where(~on_list, "")


def _place(key: tuple[str, str, str]) -> str:
    return "/".join(key)


def _some(clips: list[str]) -> str:
    more = f" and {len(clips) - SHOWN} more" if len(clips) > SHOWN else ""
    return ", ".join(clips[:SHOWN]) + more
