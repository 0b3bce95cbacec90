"""Reads a folder of videos, `VIDEOS/<subject>/<clip>`, with optional labels, into a samples table.

A clip is a video file or a folder of numbered pictures. The optional file `VIDEOS/labels.csv` has the columns `subject,
clip` and any of `label, onset, apex, offset, fps, aus, dataset`. A row with text instead of a number gets the status
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
DATASET = "videos"  # the dataset if the labels name none


def list_clips(videos: str | Path, annotations: str | Path | None = None) -> pd.DataFrame:
    """The samples table of a folder of videos, or of a single video; no frame is decoded.

    Parameters
    ----------
    videos : str or Path
        `VIDEOS/<subject>/<clip>.mp4` (or any container that FFmpeg reads), `VIDEOS/<subject>/<clip>/<frames>`, or one
        clip. A clip directly in `VIDEOS` is a separate person, unless the labels name its subject.
    annotations : str or Path, optional
        The label file; by default `VIDEOS/labels.csv`, if it exists.

    Returns
    -------
    DataFrame
        The samples table, sorted by dataset, subject, clip and onset, with an additional column `source`: the path of
        the clip. Labeled clips that do not exist have the status `missing_clip`; unlabeled clips have a blank label.

    Raises
    ------
    FileNotFoundError
        If `videos` or `annotations` does not exist.
    SamplesError
        If there is no clip in the folder, or the label file cannot be used.
    """
    videos = Path(videos)
    if not videos.exists():
        raise FileNotFoundError(f"{videos} does not exist; give a folder of videos, or one video")
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
    """`(subject, clip)` -> its paths; several if files differ only in their suffix."""
    if _is_clip(videos):
        return {(videos.stem.strip(), videos.stem.strip()): [videos]}
    if videos.is_file():
        raise SamplesError(
            f"{videos} is neither a folder nor a video, which ends in {', '.join(sorted(VIDEO_SUFFIXES))}"
        )
    clips: dict[tuple[str, str], list[Path]] = {}
    for entry in sorted(videos.iterdir()):
        if entry.name.startswith("."):
            continue
        if _is_clip(entry):
            clips.setdefault((entry.stem.strip(), entry.stem.strip()), []).append(entry)
        elif entry.is_dir():
            for clip in sorted(entry.iterdir()):
                if not clip.name.startswith(".") and _is_clip(clip):
                    name = clip.stem if clip.is_file() else clip.name
                    clips.setdefault((entry.name.strip(), name.strip()), []).append(clip)
    return clips


def _is_clip(path: Path) -> bool:
    try:
        if path.is_file():
            return path.suffix.lower() in VIDEO_SUFFIXES
        return path.is_dir() and bool(frame_files(path))
    except (ClipError, OSError):  # two pictures with one number, or no permission: reported when the clip is opened
        return True


def _read_labels(path: str | Path) -> pd.DataFrame:
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist; give a table with the columns subject, clip, label, ...")
    try:
        labels = pd.read_csv(
            path, dtype=str, keep_default_na=False, encoding="utf-8-sig", skipinitialspace=True, index_col=False
        )
    except (ValueError, OverflowError) as error:  # all errors of pandas, and UnicodeDecodeError
        raise SamplesError(f"{path} is not a table of comma-separated values in UTF-8 ({error})") from error
    labels.columns = labels.columns.str.strip().str.lower()
    missing = [column for column in ("subject", "clip") if column not in labels]
    if missing:
        separator = len(labels.columns) == 1 and next((s for s in ";\t" if s in labels.columns[0]), "")
        why = f"; the separator is {separator!r}, expected commas" if separator else ""
        raise SamplesError(
            f"{path} has no column {' and '.join(missing)}; its columns are {', '.join(labels.columns)}{why}"
        )
    _check_spelling(path, labels.columns)
    if labels.columns.has_duplicates:
        raise SamplesError(f"{path} has the column {labels.columns[labels.columns.duplicated()][0]!r} twice")
    labels = labels[[column for column in LABEL_COLUMNS if column in labels]].apply(lambda column: column.str.strip())
    labels = _blank_invalid_numbers(labels)
    key = [column for column in KEY if column in labels]
    duplicates = labels[labels.duplicated(key)]
    if len(duplicates):
        row = duplicates.iloc[0]
        raise SamplesError(f"{path}: {row['subject']}/{row['clip']} appears twice with the same onset; remove one row")
    return labels


def _check_spelling(path: Path, columns: Iterable[str]) -> None:
    """`SamplesError` for a column whose name is close to that of a missing one; other columns are ignored."""
    present = set(columns)
    missing = [name for name in LABEL_COLUMNS if name not in present]
    for column in present - set(LABEL_COLUMNS):
        similar = difflib.get_close_matches(column, missing, n=1, cutoff=0.75)
        if similar:
            raise SamplesError(
                f"{path} has a column {column!r}; rename it to {similar[0]!r}, or to another name if it is not that"
            )


def _blank_invalid_numbers(labels: pd.DataFrame) -> pd.DataFrame:
    """The labels with blank cells instead of invalid numbers, and a column `fault` with the error of each row."""
    labels = labels.assign(fault="")
    for column in [name for name in (*FRAMES, "fps") if name in labels]:
        cells = labels[column].where(~labels[column].str.casefold().isin(BLANKS), "")
        invalid = parse_numbers(cells, column)[1]
        kind = "a number" if column == "fps" else "a frame number"
        labels.loc[invalid, "fault"] = [f"{column} {cell!r} is not {kind}" for cell in cells[invalid]]
        labels[column] = cells.where(~invalid, "")
    return labels


def _join(labels: pd.DataFrame, clips: dict[tuple[str, str], list[Path]]) -> pd.DataFrame:
    rows = []
    labeled = set()
    for label in labels.to_dict("records"):
        key = (label["subject"], label["clip"])
        if key not in clips and (label["clip"], label["clip"]) in clips:
            key = (label["clip"], label["clip"])  # directly in VIDEOS; the labels name the subject
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
