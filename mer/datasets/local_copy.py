"""Reads a user's copy of a database: finds sheet and frames, unifies names, corrects rows, joins them to frames."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from mer.datasets.annotation_sheet import all_sheets, find_sheets
from mer.datasets.corrections import correct, read_corrections
from mer.datasets.database import Database
from mer.datasets.frame_folders import Frames, find_frames
from mer.datasets.join_sheet_frames import folders_of, join
from mer.datasets.samples import FRAMES
from mer.datasets.spelling import clip_spelling
from mer.datasets.tables import SamplesError, is_blank, label_text

LISTED = 5  # workbooks in a message


@dataclass(frozen=True)
class Copy:
    """A user's copy of a database.

    Attributes
    ----------
    samples : DataFrame
        The samples table with an additional column `source`: the folder of the clip's frames.
    sheet : Path or None
    frames : Frames
    notes : list of str
        A sentence for each choice, correction and omission.
    annotated_folders : set of Path
        The folders of frames that the sheet annotates, including those of expressions that were left out.
    blank_columns : dict
        `apex`, `offset` or `aus` -> what is wrong, if the database has that column but this sheet does not, or only
        blank cells in it.
    companion : Path or None
        The second sheet that holds the labels, if the database has one.
    """

    samples: pd.DataFrame
    sheet: Path | None
    frames: Frames
    notes: list[str]
    annotated_folders: set[Path]
    blank_columns: dict[str, str]
    companion: Path | None = None


def read_copy(
    database: Database,
    root: str | Path,
    annotations: str | Path | None = None,
    labels: str = "emotion",
    macro: bool = False,
) -> Copy:
    """Read a copy of a database; see :func:`mer.datasets.load_dataset` for parameters and errors."""
    root = Path(root)
    if not root.is_dir():
        raise FileNotFoundError(f"{root} is not a folder; give the one that holds {database.title}")
    frames = find_frames(root, database.identify, database.prefer, database.skip)
    notes = []
    if frames.others:
        notes.append(f"the frames are those in {frames.used}; {', '.join(frames.others)} ignored")
    sheet = None if annotations is None else Path(annotations)
    if sheet is None and database.sheets:
        candidates = find_sheets(root, database.sheets)
        if not candidates:
            raise SamplesError(_no_sheet(database, root))
        sheet = candidates[0]
        if candidates[1:]:
            first, *others = _distinct_names(candidates, root)
            notes.append(f"the sheet is {first}; {', '.join(others)} ignored (choose with --annotations FILE)")
    companion = next(iter(find_sheets(root, database.companion[1])), None)
    if database.companion[0] and companion is None:
        notes.append(f"no labels: they come from {database.companion[0]}, which is not in or beside {root}")
    if not frames.folders:
        example = f", such as {frames.unknown[0]}" if frames.unknown else ""
        raise SamplesError(
            f"no frames of {database.title} in {root}: {len(frames.unknown)} folders of pictures, none with a known "
            f"name{example}; expected {database.layout}"
        )
    rows = database.rows(sheet, root, frames)
    blank_columns = _blank_columns(rows, database)
    rows = _canonical(rows, database, sheet, frames)
    if labels != "emotion":
        rows["label"] = _objective(rows, database, labels)
    rows, corrected = correct(rows, database.name, read_corrections())
    annotated_folders = folders_of(rows, database, frames)
    rows, left_out = _expressions(rows, macro)
    samples = join(rows, database, frames)
    if (samples["status"] == "missing_clip").all():
        row, place = samples.iloc[0], next(iter(frames.folders))
        raise SamplesError(
            f"{sheet} and the folders in {root} do not match: no row has frames; the first row is "
            f"{row['subject']}/{row['clip']}, a folder is {place.subject}/{place.clip}"
        )
    return Copy(samples, sheet, frames, notes + corrected + left_out, annotated_folders, blank_columns, companion)


def _no_sheet(database: Database, root: Path) -> str:
    sheets = _from_root(all_sheets(root), root)
    more = f" and {len(sheets) - LISTED} more" if len(sheets) > LISTED else ""
    found = f"found {', '.join(sheets[:LISTED])}{more}" if sheets else "found no workbook"
    owners = f"its owners distribute it with the data{database.page and f': {database.page}'}"
    return (
        f"no annotation sheet of {database.title} in or beside {root}: expected {database.sheet}, {found}; put it "
        f"there, or give it with --annotations FILE ({owners})"
    )


def _distinct_names(files: list[Path], root: Path) -> list[str]:
    """The names of files, or their paths from `root` if two have the same name."""
    names = [file.name for file in files]
    return names if len(set(names)) == len(names) else _from_root(files, root)


def _from_root(files: list[Path], root: Path) -> list[str]:
    return [Path(os.path.relpath(file.absolute(), root.absolute())).as_posix() for file in files]


def _blank_columns(rows: pd.DataFrame, database: Database) -> dict[str, str]:
    """The columns that this database has, but that are missing or blank in this sheet, and which of the two."""
    problems = {}
    for column in database.annotated:
        if column not in rows:
            problems[column] = "the sheet has no such column"
        elif rows[column].map(lambda cell, column=column: is_blank(cell, column)).all():
            problems[column] = f"the column is blank in all {len(rows)} rows"
    return problems


def _canonical(rows: pd.DataFrame, database: Database, sheet: Path | None, frames: Frames) -> pd.DataFrame:
    """The rows with people, clips and labels as in the samples table, and with all columns."""
    if rows.empty:
        raise SamplesError(f"{sheet} has headers but no rows")
    if "row" not in rows:
        rows["row"] = range(1, len(rows) + 1)
    for column in (*FRAMES, "label", "aus", "fps", "kind", "wrong"):
        if column not in rows:
            rows[column] = ""
    for column in FRAMES:
        rows[column] = rows[column].str.replace(r"\.0*$", "", regex=True)
    odd = []
    for row in rows.to_dict("records"):
        try:
            database.subject(row["subject"])
        except ValueError:
            odd.append(row)
    if odd:
        row = odd[0]
        what = "has no subject (fill in merged cells)" if not row["subject"] else f"has the subject {row['subject']!r}"
        raise SamplesError(
            f"{sheet}, row {row['row']} {what}, expected one such as {database.subject('1')}; this concerns {len(odd)} "
            f"of {len(rows)} rows: correct them, or give the right sheet"
        )
    rows["subject"] = rows["subject"].map(database.subject)
    rows["clip"] = rows["clip"].map(database.clip)
    rows["clip"] = _spelled_as_folders(rows, frames)
    foreign = [row["clip"] for row in rows.to_dict("records") if not _is_clip_of(database, row)]
    if len(foreign) > len(rows) / 2:
        raise SamplesError(
            f"{sheet} is not a sheet of {database.title}: {len(foreign)} of {len(rows)} clips have names such as "
            f"{foreign[0]!r}; expected {database.layout}"
        )
    spelling = {name: label for label, names in database.labels.items() for name in (label, *names)}
    plain = rows["label"].map(lambda label: " ".join(label_text(label).casefold().split()))
    rows["label"] = plain.map(lambda label: spelling.get(label, label))
    foreign_labels = rows[(rows["label"] != "") & ~rows["label"].isin(list(database.labels))]["label"]
    if database.labels and len(foreign_labels) > len(rows) / 2:
        raise SamplesError(
            f"{sheet} is not a sheet of {database.title}: {len(foreign_labels)} of {len(rows)} labels are unknown, "
            f"such as {foreign_labels.iloc[0]!r}; expected {', '.join(database.labels)}"
        )
    return rows


def _spelled_as_folders(rows: pd.DataFrame, frames: Frames) -> list[str]:
    """The clips of the rows; one without a folder is spelled as the one folder that differs in spelling alone."""
    exact = {(place.subject, place.clip) for place in frames.folders}
    similar: dict[tuple[str, str], set[str]] = {}
    for place, folder in frames.folders.items():
        name = folder.name.strip() if folder.name.strip().casefold() == place.clip else place.clip
        similar.setdefault((place.subject, clip_spelling(name)), set()).add(name)
    clips = []
    for subject, clip in zip(rows["subject"], rows["clip"]):
        names = similar.get((subject, clip_spelling(clip)), set())
        clips.append(next(iter(names)) if len(names) == 1 and (subject, clip.casefold()) not in exact else clip)
    return clips


def _is_clip_of(database: Database, row: dict[str, str]) -> bool:
    """Whether a folder of this database could have the name of the row's clip."""
    try:
        return database.identify(("", row["subject"], row["clip"])) is not None
    except ValueError:
        return False


def _objective(rows: pd.DataFrame, database: Database, labels: str) -> pd.Series:
    """The objective classes as `i` to `vii`; sheets have `II` or 2."""
    if labels != "objective":
        raise ValueError(f"labels {labels!r}: expected emotion or objective")
    if "objective" not in rows:
        raise SamplesError(
            f"{database.title}: no objective classes (CASME II has them in CASME2-ObjectiveClasses.xlsx)"
        )
    roman = {str(i): name for i, name in enumerate(("i", "ii", "iii", "iv", "v", "vi", "vii"), start=1)}
    return rows["objective"].str.casefold().map(lambda text: roman.get(text, text))


def _expressions(rows: pd.DataFrame, macro: bool) -> tuple[pd.DataFrame, list[str]]:
    """The micro-expressions, or the macro-expressions, of a sheet that may hold both, without duplicates."""
    notes = []
    is_macro = rows["kind"].str.casefold().str.startswith("macro")
    if is_macro.any() or macro:
        rows, other = rows[is_macro if macro else ~is_macro], rows[~is_macro if macro else is_macro]
        notes.append(f"{len(other)} {'micro' if macro else 'macro'}-expressions of the sheet were left out")
    if macro:  # SAMM Long Videos has macro-expressions without an onset
        no_onset = rows["onset"].isin(["0", ""])
        rows = rows[~no_onset]
        notes += [f"{int(no_onset.sum())} macro-expressions without an onset were left out"] if no_onset.any() else []
    if rows.empty:
        raise SamplesError(f"the sheet has no {'macro' if macro else 'micro'}-expressions")
    key = rows["subject"] + "/" + rows["clip"].str.casefold() + "/" + rows["onset"]
    duplicates = rows[key.duplicated()]
    for row in duplicates.to_dict("records"):
        notes.append(
            f"row {row['row']} of the sheet, {row['subject']}/{row['clip']} with onset {row['onset']}, is a duplicate; "
            "the first one is used"
        )
    return rows.drop(duplicates.index).reset_index(drop=True), notes
