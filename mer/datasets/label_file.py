"""Reads the label file of a folder of videos, `VIDEOS/labels.csv`, and joins its rows to the clips.

Columns: `subject, clip` and any of :data:`COLUMNS`. A row with text instead of a number gets the status
`bad_annotation`.
"""

from __future__ import annotations

import difflib
import re
import warnings
from collections import defaultdict
from collections.abc import Collection, Mapping
from pathlib import Path

import pandas as pd

from mer.datasets.columns import HEADERS, refuse_times, suggest
from mer.datasets.samples import FRAMES, KEY, parse_numbers
from mer.datasets.spelling import clip_spelling, person_spelling
from mer.datasets.tables import SUFFIXES, SamplesError, label_text, read_rows

COLUMNS = ("subject", "clip", "label", "onset", "apex", "offset", "fps", "aus", "dataset", "kind")
HINTED = 1000  # clips among which a similar name is searched

Key = tuple[str, str]  # subject, clip


def find_labels(videos: Path) -> Path | None:
    """`VIDEOS/labels.csv`, or the one file with a similar name, such as `Labels.csv`, `labels.xlsx`, `label.csv.txt`.

    `SamplesError` if there are several similar ones.
    """
    exact = videos / "labels.csv"
    files = similar_to_labels(videos)
    if exact.is_file():
        others = [file.name for file in files if file.name != exact.name]
        if others:
            warnings.warn(f"the labels are those of {exact}; {', '.join(others)} ignored", stacklevel=3)
        return exact
    if len(files) > 1:
        names = " and ".join(file.name for file in files)
        raise SamplesError(f"{videos} has {names}; name one of them labels.csv, or give it with --annotations FILE")
    return files[0] if files else None


def similar_to_labels(videos: Path) -> list[Path]:
    """The tables in a folder whose names are close to `labels.csv`."""
    if not videos.is_dir():
        return []
    close = []
    for file in sorted(videos.iterdir()):
        stem = file.name.casefold().lstrip(".~$").split(".")[0]
        words = re.sub(r"[^a-z]+", " ", stem).strip()
        is_close = bool(difflib.get_close_matches(words, ["labels", "label"], n=1, cutoff=0.8))
        is_table = file.name[0] not in ".~" and file.suffix.lower() in SUFFIXES and file.is_file()
        if is_table and (is_close or words.startswith("labels ")):
            close.append(file)
    return close


def read_labels(path: str | Path | None) -> pd.DataFrame:
    """The rows of a label file as text, with the columns in it, blank cells instead of invalid numbers, and `fault`.

    Without a file, a table without rows. `SamplesError` for missing, misspelt or repeated columns and repeated rows.
    """
    if path is None:
        return pd.DataFrame(columns=[*COLUMNS, "fault"], dtype=object)
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist; give a table with the columns subject, clip, label, ...")
    original, rows = read_rows(path)
    header = [cell.strip().lower() for cell in original]
    _check_header(path, header)
    columns = {name: header.index(name) for name in COLUMNS if name in header}
    labels = pd.DataFrame([[row[i] for i in columns.values()] for _, row in rows], columns=list(columns), dtype=object)
    for name in {"label", "kind"} & set(columns):
        labels[name] = labels[name].map(label_text).astype(object)
    labels = _blank_invalid_numbers(labels)
    check_unique(labels, path)
    return labels


def check_unique(labels: pd.DataFrame, path: str | Path) -> None:
    """`SamplesError` if two rows are of the same expression."""
    key = [column for column in KEY if column in labels]
    duplicates = labels[labels.duplicated(key)]
    if len(duplicates):
        row = duplicates.iloc[0]
        raise SamplesError(f"{path}: {row['subject']}/{row['clip']} appears twice with the same onset; remove one row")


def _check_header(path: Path, header: list[str]) -> None:
    """`SamplesError` for missing, repeated or misspelt columns; other columns are ignored."""
    refuse_times(path, header, {name: header.index(name) for name in FRAMES if name in header})
    missing = [name for name in COLUMNS if name not in header and name != "kind"]
    suggestions = suggest([cell for cell in header if cell not in COLUMNS and cell not in HEADERS["kind"]], missing)
    required = [name for name in ("subject", "clip") if name in missing]
    if required:
        meant = "".join(f"; did you mean {field!r} by {cell!r}?" for cell, field in suggestions.items())
        raise SamplesError(
            f"{path} has no column {' and '.join(required)}; its columns are {', '.join(filter(None, header))}{meant}"
        )
    read = {"emotion"} if "strength" in header else set()  # of intervals.csv: read by a model, and no label
    for cell, field in suggestions.items():
        if cell in read:
            continue
        raise SamplesError(
            f"{path} has a column {cell!r}; did you mean {field!r}? Rename it to {field!r}, or to another name if it "
            "is not that"
        )
    twice = [cell for i, cell in enumerate(header) if cell in COLUMNS and cell in header[:i]]
    if twice:
        raise SamplesError(f"{path} has the column {twice[0]!r} twice")


def _blank_invalid_numbers(labels: pd.DataFrame) -> pd.DataFrame:
    labels = labels.assign(fault="")
    for column in [name for name in (*FRAMES, "fps") if name in labels]:
        numbers, invalid = parse_numbers(labels[column], column)
        kind = "a number" if column == "fps" else "a frame number"
        labels.loc[invalid, "fault"] = [f"{column} {cell!r} is not {kind}" for cell in labels.loc[invalid, column]]
        labels[column] = labels[column].where(numbers.notna() & ~invalid, "")
    return labels


def match_clips(labels: pd.DataFrame, clips: Collection[Key]) -> dict[int, tuple[Key | None, str]]:
    """Row of the labels -> its clip; or None, and a hint at similar clips.

    A clip directly in VIDEOS, `(name, name)`, belongs to the subject of its label. Rows that fit no clip by their exact
    names may fit one that has no label yet in another spelling (:mod:`mer.datasets.spelling`).
    """
    rows = list(zip(labels["subject"], labels["clip"]))
    matches: dict[int, tuple[Key | None, str]] = {}
    for i, (subject, clip) in enumerate(rows):
        exact = [key for key in ((subject, clip), (clip, clip)) if key in clips]
        if exact:
            matches[i] = exact[0], ""
    labeled = {key for key, _ in matches.values()}
    index: Mapping[Key, list[Key]] = defaultdict(list)
    for key in clips:
        index[person_spelling(key[0]), clip_spelling(key[1])].append(key)
    respelled = []
    for i, (subject, clip) in enumerate(rows):
        if i in matches:
            continue
        similar: list[Key] = []
        for name in (clip, clip.replace("\\", "/").rpartition("/")[2]):
            plain = clip_spelling(name)
            similar = similar or index.get((person_spelling(subject), plain), [])
            similar = similar or index.get((person_spelling(plain), plain), [])
        if len(similar) == 1 and similar[0] not in labeled:
            matches[i] = similar[0], ""
            respelled.append(f"{subject}/{clip} is {'/'.join(similar[0])}")
        else:
            matches[i] = None, _hint((subject, clip), similar, clips)
    if respelled:
        warnings.warn(
            f"{len(respelled)} rows of the labels fit a clip in another spelling, such as {respelled[0]}", stacklevel=3
        )
    return matches


def _hint(wanted: Key, similar: list[Key], clips: Collection[Key]) -> str:
    names = ["/".join(key) for key in similar]
    if not names and len(clips) <= HINTED:
        names = difflib.get_close_matches("/".join(wanted), ["/".join(key) for key in clips], n=2, cutoff=0.7)
    return f"; did you mean {' or '.join(names)}?" if names else ""
