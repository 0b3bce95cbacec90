"""The table beside somebody else's published images: its columns by header, its rows as samples."""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import pandas as pd

from mer.datasets.annotation_sheet import is_xlsx, read_book
from mer.datasets.identifiers import database_name, subject_name
from mer.datasets.samples import KEY, SamplesError, conform

# Column of the samples table -> headers, in lower case without blanks and underscores.
HEADERS: dict[str, tuple[str, ...]] = {
    "dataset": ("dataset", "database", "db"),
    "subject": ("sub", "subject", "subid", "subjectid", "person", "participant"),
    "clip": ("filenameo", "clip", "filename", "file", "video", "videoname", "sample"),
    "label": ("label", "emotion", "class", "estimatedemotion"),
    "onset": ("onset", "onsetframe", "onsetf"),
    "apex": ("apex", "apexframe", "apexf"),
    "offset": ("offset", "offsetframe", "offsetf"),
    "fps": ("fps",),
    "aus": ("aus", "au", "actionunits"),
}
REQUIRED = ("subject", "clip", "label")
IMAGES = ("imagename", "image", "subfilename")  # headers of columns that name the image itself


def read_table(
    path: str | Path, dataset: str = "", columns: Mapping[str, str] | None = None, warn: Callable[[str], None] = print
) -> tuple[pd.DataFrame, list[list[str]]]:
    """The rows as a samples table, and for each the names that its image may have, the likeliest first.

    Every cell is read as text, so that a subject `006` stays `006`; the `.0` of a number that a spreadsheet made a
    fraction goes. People and databases get the names that `mer` has for them. A row that stands there twice is taken
    once. A list without a header is read as `dataset, subject, clip, label`, as the organizers of MEGC2019 publish
    theirs.

    Parameters
    ----------
    path : str or Path
        Values separated by commas, semicolons or tabs; or a workbook (`.xlsx`, or `.xls` with the extra `xls`), whose
        first tab that holds anything is read.
    dataset : str
        The database, where no column names it; `images` if it is not given either.
    columns : mapping, optional
        Column of the samples table -> header, where :data:`HEADERS` does not know it.
    warn : function
        Gets a line about each thing that is odd but does no harm.

    Raises
    ------
    SamplesError
        Where a column is missing, a row has no subject or no clip, or two rows of one clip differ.
    FileNotFoundError
        Where the table is not there.
    """
    table = _read(Path(path))
    known = _known_columns(table, Path(path), columns or {})
    raw = pd.DataFrame({name: table[header].str.strip() for name, header in known.items()})
    raw = raw[(raw != "").any(axis=1)]
    for name in ("subject", "clip"):
        if (raw[name] == "").any():
            raise SamplesError(f"{path}, row {raw.index[raw[name] == ''][0] + 1}: no {name}")
    for name in ("subject", "label"):
        raw[name] = raw[name].str.replace(r"^(\d+)\.0+$", r"\1", regex=True)
    if "dataset" not in raw:
        raw["dataset"] = dataset or "images"

    rows = raw.assign(dataset=raw["dataset"].map(database_name))
    rows["subject"] = [subject_name(*row) for row in rows[["dataset", "subject"]].itertuples(index=False)]
    for name in {"onset", "apex", "offset", "fps"} & set(rows):
        odd = pd.to_numeric(rows[name], errors="coerce").isna() & (rows[name] != "")
        if odd.any():
            warn(f"{path}: {odd.sum()} values of {known[name]!r} are no numbers, such as {rows[name][odd].iloc[0]!r}")
            rows.loc[odd, name] = ""
    named = [header for header in table if _bare(header) in IMAGES]
    images = table.loc[raw.index, named].to_numpy().tolist()
    names = [
        _image_names(before, after, given)
        for before, after, given in zip(raw.to_dict("records"), rows["subject"], images)
    ]
    samples = conform(rows.assign(apex_source=["label" if apex else "" for apex in rows.get("apex", [""] * len(rows))]))
    once = _once(samples, Path(path), raw.index, warn)
    return samples[once].reset_index(drop=True), [each for each, kept in zip(names, once) if kept]


def _read(path: Path) -> pd.DataFrame:
    content = path.read_bytes()
    if is_xlsx(content) or path.suffix.lower() in (".xlsx", ".xls"):
        return _first_tab(path)
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):  # "Unicode text", as Excel calls it
        content = content.decode("utf-16", errors="replace").encode()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1252", errors="replace")
    first = text.splitlines()[0] if text.strip() else ""
    separator = max(",;\t", key=first.count)
    # The organizers' list has no header: its first row is a clip.
    bare = first.count(separator) == 3 and database_name(first.split(separator)[0]) in ("casme2", "samm", "smic")
    try:
        return pd.read_csv(
            io.StringIO(text),
            sep=separator,
            dtype=str,
            keep_default_na=False,
            header=None if bare else "infer",
            names=["dataset", "subject", "clip", "label"] if bare else None,
            index_col=False,
        )
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise SamplesError(f"{path} is not a table of separated values ({error})") from error


def _first_tab(path: Path) -> pd.DataFrame:
    """The first tab of a workbook that holds anything; its first row is the header."""
    tabs = [[row for row in rows if any(row)] for rows in read_book(path).values()]
    header, *rows = next((rows for rows in tabs if rows), [[]])
    if not header:
        raise SamplesError(f"{path} holds nothing")
    padded = [[*row, *[""] * len(header)][: len(header)] for row in rows]
    return pd.DataFrame(padded, columns=header, dtype=object)


def _known_columns(table: pd.DataFrame, path: Path, columns: Mapping[str, str]) -> dict[str, str]:
    """Column of the samples table -> header of this table."""
    by_name = {_bare(header): header for header in reversed(list(table))}  # of two alike, the first
    wrong = [header for header in columns.values() if header not in table] + [
        name for name in columns if name not in HEADERS
    ]
    if wrong:
        raise SamplesError(f"{path} has no column {wrong[0]!r}; it has {', '.join(map(str, table))}")
    known = {
        name: by_name[next(bare for bare in bares if bare in by_name)]
        for name, bares in HEADERS.items()
        if any(bare in by_name for bare in bares)
    }
    known |= columns
    missing = [name for name in REQUIRED if name not in known]
    if missing:
        raise SamplesError(
            f"{path} has no column for the {missing[0]}; it has {', '.join(map(str, table))}: "
            f"name it, as in --column {missing[0]}=HEADER"
        )
    return known


def _bare(header: object) -> str:
    return re.sub(r"[\s_-]", "", str(header).casefold())


def _image_names(row: Mapping[str, str], subject: str, given: list[str]) -> list[str]:
    """What the image of a row may be called, without its suffix; spellings of the subject first."""
    number = re.search(r"\d+$", row["subject"])
    spelled = [row["subject"], subject]
    if number:
        n = int(number[0])
        spelled += [str(n), f"{n:02}", f"{n:03}", f"sub{n:02}", f"s{n}", f"s{n:02}"]
    clips = [row["clip"]]
    of_smic = re.fullmatch(r"s(\d+)(_(?:ne|po|sur)_\d+)", row["clip"], re.IGNORECASE)
    if of_smic:  # its folders are called s1_ne_01, lists say s01_ne_01
        clips += [f"s{int(of_smic[1])}{of_smic[2]}", f"s{int(of_smic[1]):02}{of_smic[2]}"]
    befores = [f"{database}{one}_" for database in ("", f"{row['dataset']}_") for one in spelled]
    names = [f"{before}{clip}" for clip in clips for before in befores]
    return [*dict.fromkeys([*names, *(name.strip() for name in given if name.strip()), *clips])]


def _once(samples: pd.DataFrame, path: Path, lines: pd.Index, warn: Callable[[str], None]) -> list[bool]:
    """Whether each row is the first of its clip; `SamplesError` where a later one says something else."""
    first: dict[tuple[str, ...], int] = {}
    once = []
    for i, row in enumerate(samples.to_dict("records")):
        earlier = first.setdefault(tuple(str(row[name]) for name in KEY), i)
        once.append(earlier == i)
        if earlier == i:
            continue
        where = f"{path}: rows {lines[earlier] + 1} and {lines[i] + 1}"
        clip = "/".join(row[name] for name in KEY[:3])
        if not samples.iloc[earlier].equals(samples.iloc[i]):
            raise SamplesError(f"{where} are both {clip}, and differ; remove one")
        warn(f"{where} are equal; {clip} is taken once")
    return once
