"""A user's copy of a database, read: sheet and frames found, names in one form, corrections applied, rows joined."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from mer.datasets.annotation_sheet import all_sheets, find_sheets
from mer.datasets.corrections import correct, read_corrections
from mer.datasets.database import Database
from mer.datasets.frame_folders import Frames, find_frames
from mer.datasets.join_sheet_frames import join, named_folders
from mer.datasets.samples import BLANKS, FRAMES, SamplesError

SHOWN = 5  # workbooks that a message names


@dataclass(frozen=True)
class Copy:
    """A user's copy of a database, as found.

    Attributes
    ----------
    samples : DataFrame
        The samples table with one more column, `source`: the folder of the clip's frames.
    sheet : Path or None
    frames : Frames
    notes : list of str
        What was chosen, corrected or left out, a sentence each.
    named : set of Path
        The folders that a row of the sheet is about, those of expressions that were left out included.
    bare : dict
        `apex`, `offset` or `aus` -> what is wrong with its column, where it is not there or holds nothing.
    companion : Path or None
        The other sheet that labels come from, where the database has one.
    """

    samples: pd.DataFrame
    sheet: Path | None
    frames: Frames
    notes: list[str]
    named: set[Path]
    bare: dict[str, str]
    companion: Path | None = None


def read_copy(
    database: Database,
    root: str | Path,
    annotations: str | Path | None = None,
    labels: str = "emotion",
    macro: bool = False,
) -> Copy:
    """Read a copy of a database; see :func:`mer.datasets.load_dataset`."""
    root = Path(root)
    if not root.is_dir():
        raise FileNotFoundError(f"{root} is not a folder; give the one that holds {database.title}")
    frames = find_frames(root, database.identify, database.prefer, database.skip)
    notes = []
    if frames.others:
        notes.append(f"frames are taken from {frames.used}; {', '.join(frames.others)} was left alone")
    sheet = None if annotations is None else Path(annotations)
    if sheet is None and database.sheets:
        candidates = find_sheets(root, database.sheets)
        if not candidates:
            raise SamplesError(_no_sheet(database, root))
        sheet = candidates[0]
        if candidates[1:]:
            first, *others = _told_apart(candidates, root)
            notes.append(f"the sheet is {first}; {', '.join(others)} was left alone (--annotations FILE chooses)")
    companion = next(iter(find_sheets(root, database.companion[1])), None)
    if database.companion[0] and companion is None:
        notes.append(_no_companion(database, root))
    if not frames.folders:
        such = f", such as {frames.strange[0]}" if frames.strange else ""
        raise SamplesError(
            f"no frames of {database.title} in {root}: {len(frames.strange)} folders of pictures, none of a known name"
            f"{such}; expected {database.layout}"
        )
    rows = database.rows(sheet, root, frames)
    bare = _bare_columns(rows, database)
    rows = _canonical(rows, database, sheet)
    if labels != "emotion":
        rows["label"] = _objective(rows, database, labels)
    rows, corrected = correct(rows, database.name, read_corrections())
    named = named_folders(rows, database, frames)
    rows, left_out = _expressions(rows, macro)
    samples = join(rows, database, frames)
    if (samples["status"] == "missing_clip").all():
        row, place = samples.iloc[0], next(iter(frames.folders))
        raise SamplesError(
            f"{sheet} and the folders of {root} do not belong together: no row finds its frames; the first row is "
            f"{row['subject']}/{row['clip']}, a folder is {place.subject}/{place.clip}"
        )
    return Copy(samples, sheet, frames, notes + corrected + left_out, named, bare, companion)


def _no_sheet(database: Database, root: Path) -> str:
    there = _from_root(all_sheets(root), root)
    more = f" and {len(there) - SHOWN} more" if len(there) > SHOWN else ""
    found = f"there are {', '.join(there[:SHOWN])}{more}" if there else "there is no workbook"
    owners = f"its owners give it with the data{database.page and f': {database.page}'}"
    return (
        f"no annotation sheet of {database.title} in or beside {root}: {database.sheet} is expected, {found}; put it "
        f"there, or name the file with --annotations FILE ({owners})"
    )


def _no_companion(database: Database, root: Path) -> str:
    return f"the labels come from {database.companion[0]}, which is neither in nor beside {root}: they are blank"


def _told_apart(files: list[Path], root: Path) -> list[str]:
    """The names of files; their paths from `root` where two have one name."""
    names = [file.name for file in files]
    return names if len(set(names)) == len(names) else _from_root(files, root)


def _from_root(files: list[Path], root: Path) -> list[str]:
    return [Path(os.path.relpath(file.absolute(), root.absolute())).as_posix() for file in files]


def _bare_columns(rows: pd.DataFrame, database: Database) -> dict[str, str]:
    """What is wrong with columns that this database has, where they are not there or hold nothing."""
    bare = {}
    for column in database.annotated:
        nothing = (*BLANKS, "0") if column == "offset" else BLANKS  # 0: not marked
        if column not in rows:
            bare[column] = "the sheet has no such column"
        elif rows[column].str.casefold().isin(nothing).all():
            bare[column] = f"the column is blank in all {len(rows)} rows"
    return bare


def _canonical(rows: pd.DataFrame, database: Database, sheet: Path | None) -> pd.DataFrame:
    """The rows with people, clips and labels in the form of the samples table."""
    if rows.empty:
        raise SamplesError(f"{sheet} has a header and no rows")
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
            f"{sheet}, row {row['row']} {what}, expected one such as {database.subject('1')}; {len(odd)} of "
            f"{len(rows)} rows are so: mend them, or give the right sheet"
        )
    rows["subject"] = rows["subject"].map(database.subject)
    rows["clip"] = rows["clip"].map(database.clip)
    alien = [row["clip"] for row in rows.to_dict("records") if not _known(row, database)]
    if len(alien) > len(rows) / 2:
        raise SamplesError(
            f"{sheet} is not a sheet of {database.title}: {len(alien)} of {len(rows)} clips are called like "
            f"{alien[0]!r}; expected {database.layout}"
        )
    spelling = {name: label for label, names in database.labels.items() for name in (label, *names)}
    plain = rows["label"].map(lambda label: " ".join(label.casefold().split()))
    rows["label"] = plain.map(lambda label: spelling.get(label, label))
    strange = rows[(rows["label"] != "") & ~rows["label"].isin(list(database.labels))]["label"]
    if database.labels and len(strange) > len(rows) / 2:
        raise SamplesError(
            f"{sheet} is not a sheet of {database.title}: {len(strange)} of {len(rows)} labels are not its own, such "
            f"as {strange.iloc[0]!r}; its labels are {', '.join(database.labels)}"
        )
    return rows


def _known(row: dict[str, str], database: Database) -> bool:
    """Whether a folder of this database could have the name of the row's clip."""
    try:
        return database.identify(("", row["subject"], row["clip"])) is not None
    except ValueError:
        return False


def _objective(rows: pd.DataFrame, database: Database, labels: str) -> pd.Series:
    """The objective classes as `i` to `vii`; sheets write `II`, or 2."""
    if labels != "objective":
        raise ValueError(f"labels {labels!r}: expected emotion or objective")
    if "objective" not in rows:
        raise SamplesError(
            f"{database.title}: no objective classes (CASME II has them in CASME2-ObjectiveClasses.xlsx)"
        )
    roman = {str(i): name for i, name in enumerate(("i", "ii", "iii", "iv", "v", "vi", "vii"), start=1)}
    return rows["objective"].str.casefold().map(lambda text: roman.get(text, text))


def _expressions(rows: pd.DataFrame, macro: bool) -> tuple[pd.DataFrame, list[str]]:
    """Micro-expressions, or macro-expressions, where a sheet holds both; each once."""
    notes = []
    big = rows["kind"].str.casefold().str.startswith("macro")
    if big.any() or macro:
        rows, other = rows[big if macro else ~big], rows[~big if macro else big]
        notes.append(f"{len(other)} {'micro' if macro else 'macro'}-expressions of the sheet were left out")
    if macro:  # not marked where the expression begins: SAMM Long Videos has such rows
        unmarked = rows["onset"].isin(["0", ""])
        rows = rows[~unmarked]
        notes += [f"{int(unmarked.sum())} macro-expressions without an onset were left out"] if unmarked.any() else []
    if rows.empty:
        raise SamplesError(f"the sheet has no {'macro' if macro else 'micro'}-expressions")
    key = rows["subject"] + "/" + rows["clip"].str.casefold() + "/" + rows["onset"]
    twice = rows[key.duplicated()]
    for row in twice.to_dict("records"):
        notes.append(
            f"row {row['row']} of the sheet, {row['subject']}/{row['clip']} with onset {row['onset']}, stands there "
            "twice; the first was taken"
        )
    return rows.drop(twice.index).reset_index(drop=True), notes
