"""A plain folder of videos, `VIDEOS/<subject>/<clip>`, as a samples table.

A clip is a video file, or a folder of numbered pictures. `VIDEOS/labels.csv`, where there is one, has the columns
`subject, clip` and any of `label, onset, apex, offset, fps, aus, dataset`. A row whose numbers are none is listed as
`bad_annotation`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from mer.datasets.samples import BLANKS, FRAMES, KEY, SamplesError, conform, parse_numbers
from mer.datasets.video import VIDEO_SUFFIXES, ClipError, frame_files

LABEL_COLUMNS = ("subject", "clip", "label", "onset", "apex", "offset", "fps", "aus", "dataset")
DATASET = "videos"  # the dataset of a folder that names none


def list_clips(videos: str | Path, annotations: str | Path | None = None) -> pd.DataFrame:
    """The samples table of a folder of videos, or of a single video, before anything is decoded.

    Parameters
    ----------
    videos : str or Path
        `VIDEOS/<subject>/<clip>.mp4` (or any container that FFmpeg reads), `VIDEOS/<subject>/<clip>/<frames>`, or one
        clip. A clip that lies directly in `VIDEOS` counts as a person of its own, unless the labels name its subject.
    annotations : str or Path, optional
        The label file; `VIDEOS/labels.csv` by default, if there is one.

    Returns
    -------
    DataFrame
        The samples table, ordered by dataset, subject, clip and onset, with one more column, `source`: the path of
        the clip. Labeled clips that are not there have the status `missing_clip`; clips without a label are listed
        with a blank one.

    Raises
    ------
    FileNotFoundError
        If `videos` or `annotations` is not there.
    SamplesError
        If there is no clip in the folder, or the label file cannot be used.
    """
    videos = Path(videos)
    if not videos.exists():
        raise FileNotFoundError(f"{videos} is not there; give a folder of videos, or one video")
    clips = _find(videos)
    if not clips:
        raise SamplesError(
            f"no videos in {videos}; expected {videos}/<subject>/<clip>.mp4, or folders of numbered pictures"
        )
    default = videos / "labels.csv"
    if annotations is None and default.is_file():
        annotations = default
    labels = (
        pd.DataFrame(columns=list(LABEL_COLUMNS), dtype=object) if annotations is None else _read_labels(annotations)
    )
    rows = _join(labels, clips)
    table = conform(rows)
    table["source"] = rows["source"].to_numpy()
    return table.sort_values(KEY, kind="stable", na_position="first").reset_index(drop=True)


def _find(videos: Path) -> dict[tuple[str, str], list[Path]]:
    """`(subject, clip)` -> its path. Several paths mean that two files bear the same name."""
    if _is_clip(videos):
        return {(videos.stem, videos.stem): [videos]}
    if videos.is_file():
        raise SamplesError(
            f"{videos} is neither a video nor a folder; known endings: {', '.join(sorted(VIDEO_SUFFIXES))}"
        )
    clips: dict[tuple[str, str], list[Path]] = {}
    for entry in sorted(videos.iterdir()):
        if entry.name.startswith("."):
            continue
        if _is_clip(entry):
            clips.setdefault((entry.stem, entry.stem), []).append(entry)
        elif entry.is_dir():
            for clip in sorted(entry.iterdir()):
                if not clip.name.startswith(".") and _is_clip(clip):
                    clips.setdefault((entry.name, clip.stem if clip.is_file() else clip.name), []).append(clip)
    return clips


def _is_clip(path: Path) -> bool:
    try:
        if path.is_file():
            return path.suffix.lower() in VIDEO_SUFFIXES
        return path.is_dir() and bool(frame_files(path))
    except (ClipError, OSError):  # two pictures with one number, a folder that may not be read: its fault is told when
        return True  # it is opened


def _read_labels(path: str | Path) -> pd.DataFrame:
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not there; it should be a table with the columns subject, clip, label, ...")
    try:
        labels = pd.read_csv(
            path, dtype=str, keep_default_na=False, encoding="utf-8-sig", skipinitialspace=True, index_col=False
        )
    except (ValueError, OverflowError) as error:  # pandas has several kinds, and UnicodeDecodeError is one
        raise SamplesError(f"{path} is not a table of comma-separated values in UTF-8 ({error})") from error
    labels.columns = labels.columns.str.strip().str.lower()
    missing = [column for column in ("subject", "clip") if column not in labels]
    if missing:
        one = len(labels.columns) == 1 and next((s for s in ";\t" if s in labels.columns[0]), "")
        why = f"; {one!r} separates them, expected commas" if one else ""
        raise SamplesError(
            f"{path} has no column {' and '.join(missing)}; its columns are {', '.join(labels.columns)}{why}"
        )
    _refuse_misspelt(path, labels.columns)
    if labels.columns.has_duplicates:
        raise SamplesError(f"{path} has the column {labels.columns[labels.columns.duplicated()][0]!r} twice")
    labels = labels[[column for column in LABEL_COLUMNS if column in labels]].apply(lambda column: column.str.strip())
    labels = _blank_what_is_no_number(labels)
    key = [column for column in KEY if column in labels]
    twice = labels[labels.duplicated(key)]
    if len(twice):
        row = twice.iloc[0]
        raise SamplesError(
            f"{path}: {row['subject']}/{row['clip']} stands there twice with the same onset; remove one row"
        )
    return labels


def _refuse_misspelt(path: Path, columns: Iterable[str]) -> None:
    """`SamplesError` for a column that is nearly called like one that is not there; others are the user's own."""
    there = set(columns)
    free = [name for name in LABEL_COLUMNS if name not in there]
    for column in there - set(LABEL_COLUMNS):
        meant = difflib.get_close_matches(column, free, n=1, cutoff=0.75)
        if meant:
            raise SamplesError(
                f"{path} has a column {column!r}; rename it to {meant[0]!r}, or otherwise if it is another"
            )


def _blank_what_is_no_number(labels: pd.DataFrame) -> pd.DataFrame:
    """The labels with blank cells in the place of text for numbers, and `fault`, what was wrong with each row."""
    labels = labels.assign(fault="")
    for column in [name for name in (*FRAMES, "fps") if name in labels]:
        cells = labels[column].where(~labels[column].str.casefold().isin(BLANKS), "")
        wrong = parse_numbers(cells, column)[1]
        kind = "a number" if column == "fps" else "the number of a frame"
        labels.loc[wrong, "fault"] = [f"{column} {cell!r} is not {kind}" for cell in cells[wrong]]
        labels[column] = cells.where(~wrong, "")
    return labels


def _join(labels: pd.DataFrame, clips: dict[tuple[str, str], list[Path]]) -> pd.DataFrame:
    rows = []
    labeled = set()
    for label in labels.to_dict("records"):
        key = (label["subject"], label["clip"])
        if key not in clips and (label["clip"], label["clip"]) in clips:
            key = (label["clip"], label["clip"])  # it lies directly in the folder; the labels know whose it is
        labeled.add(key)
        row = {**label, **_source(clips.get(key, []))}
        if row.pop("fault") and not row["status"]:
            row |= {"status": "bad_annotation", "message": label["fault"]}
        rows.append(row)
    for (subject, clip), paths in clips.items():
        if (subject, clip) not in labeled:
            rows.append({"subject": subject, "clip": clip, **_source(paths)})
    table = pd.DataFrame(rows)
    dataset = table["dataset"] if "dataset" in table else pd.Series([""] * len(table))
    table["dataset"] = dataset.fillna("").replace("", DATASET)
    return table


def _source(paths: list[Path]) -> dict[str, str]:
    if not paths:
        return {"source": "", "status": "missing_clip", "message": "labeled, but not in the folder"}
    if len(paths) > 1:
        names = " and ".join(path.name for path in paths)
        return {"source": str(paths[0]), "status": "unreadable", "message": f"{names} have the same name; rename one"}
    return {"source": str(paths[0]), "status": "", "message": ""}
