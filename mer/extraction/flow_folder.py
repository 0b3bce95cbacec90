"""A flow folder: the path of each flow file, the record in `run.json`, and whether a new run may resume in it."""

from __future__ import annotations

import hashlib
import json
import platform
import re
import sys
from collections.abc import Collection
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pandas as pd

from mer._version import __version__
from mer.datasets.samples import SamplesError, empty_samples, read_samples, readable
from mer.extraction.frame_files import clip_path, pair_path
from mer.utils.folder_lock import is_empty

# Keys of run.json that all flows of a folder share.
SETTINGS = ("method", "weights", "weights_sha256", "align", "size", "stabilize", "face", "apex", "apex_flow")
LONGEST_NAME = 200  # bytes; file systems allow 255, including the onset and the suffix
LIBRARIES = ("numpy", "opencv-contrib-python", "torch", "mediapipe", "facenet-pytorch")


def flow_path(row: dict[str, Any]) -> str:
    """`<dataset>/<subject>/<clip>_<onset>.npz`.

    Characters that some file system does not allow become underscores; the end of a name that is too long becomes a
    hash.
    """
    parts = [_file_name(row[name]) for name in ("dataset", "subject", "clip")]
    return f"{'/'.join(parts)}_{row['onset']}.npz"


def _file_name(name: str) -> str:
    name = readable(name)
    safe = re.sub(r'[\\/:*?"<>|\x00-\x1f]|^\.+$', "_", name) or "_"
    if len(safe.encode()) <= LONGEST_NAME:
        return safe
    digest = hashlib.sha256(name.encode()).hexdigest()[:12]
    return f"{safe.encode()[: LONGEST_NAME - 13].decode(errors='ignore')}~{digest}"


def refuse_equal_paths(table: pd.DataFrame) -> None:
    """Raise `SamplesError` if two clips would be written to one file; clips that have already failed are ignored."""
    open_clips = table[table["status"] == ""]
    repeated = open_clips[open_clips["path"].str.lower().duplicated()]
    if len(repeated):
        row = repeated.iloc[0]
        raise SamplesError(f"two clips would be written to {row['path']}; rename {row['subject']}/{row['clip']}")


def run_record(settings: dict[str, Any], videos: str | Path, table: pd.DataFrame) -> dict[str, Any]:
    """The content of `run.json`: everything needed to make the flows again."""
    note = Path(videos) / "NOTE.txt"
    return {
        "command": command(),
        "versions": run_versions(),
        "seed": None,  # extraction uses no random numbers
        **settings,
        "inputs": {dataset: str(Path(videos).resolve()) for dataset in sorted(set(table["dataset"]))},
        "note": note.read_text(encoding="utf-8").strip() if note.is_file() else "",
    }


def command() -> list[str]:
    """The running program and its arguments; `mer` if it was started as `python -m mer`."""
    program = Path(sys.argv[0])
    return [program.parent.name if program.name == "__main__.py" else program.name, *sys.argv[1:]]


def run_versions() -> dict[str, str]:
    """Versions of mer, Python and the libraries that affect the flows."""
    return {"mer": __version__, "python": platform.python_version(), **versions()}


def versions() -> dict[str, str]:
    installed = {}
    for library in LIBRARIES:
        try:
            installed[library] = version(library)
        except PackageNotFoundError:
            installed[library] = "not installed"
    return installed


def refuse_foreign(out: Path, overwrite: bool) -> None:
    """Raise `ValueError` if `out` holds other files than those of a flow folder."""
    if not overwrite and not (out / "run.json").exists() and not is_empty(out):
        raise ValueError(f"{out} is not empty and not a flow folder; choose another --out, or --overwrite")


def earlier_run(out: Path, record: dict[str, Any], overwrite: bool) -> pd.DataFrame:
    """The samples table of an earlier run in `out` that this run can resume, empty if there is none.

    Adds the earlier run's inputs and note to `record`. With `overwrite`, removes the earlier flows. The caller must
    hold the lock of the folder.

    Raises
    ------
    ValueError
        If `out` holds flows made with other settings or from other videos.
    """
    if not (out / "run.json").exists():
        return empty_samples()
    earlier = read_samples(out) if (out / "samples.csv").exists() else empty_samples()
    if overwrite:
        remove_flows(out, earlier)
        # Removed before run.json changes: if this run is killed, the next must not take these rows for the new
        # settings.
        (out / "samples.csv").unlink(missing_ok=True)
        (out / ".mer-sources.csv").unlink(missing_ok=True)
        return empty_samples()
    # Before the apex search could be chosen, it was always by flow, and the record did not name its flow method.
    old = {"apex": "flow", "apex_flow": record.get("apex_flow"), **read_run(out / "run.json")}
    for name in SETTINGS:
        if name in record and old.get(name) != record[name]:
            was = f"{name} {old.get(name)!r}, now {record[name]!r}"
            raise ValueError(f"{out} holds flows made with {was}; choose another --out, or --overwrite")
    inputs = old.get("inputs") or {}
    for dataset, folder in record["inputs"].items():
        was = inputs.get(dataset, folder)
        if was != folder and Path(was).exists():  # a moved folder does not exist at its old path
            raise ValueError(
                f"{out} holds flows of {dataset!r} from {was}, not {folder}; choose another --out, name the database "
                "in labels.csv, or --overwrite"
            )
    record["inputs"] = {**inputs, **record["inputs"]}
    record["note"] = record["note"] or old.get("note", "")
    return earlier


def remove_flows(out: Path, rows: pd.DataFrame) -> None:
    """Remove the files of the rows with the status `ok`."""
    for path in rows.loc[rows["status"] == "ok", "path"]:
        if inside(out, path):
            for file in (out / path, clip_path(out / path), pair_path(out / path)):
                file.unlink(missing_ok=True)


def group_versions(record: dict[str, Any], earlier: dict[str, Any], made: list[str], kept: Collection[str]) -> None:
    """Keep `groups` in `record`, the clips by the versions that they were made with, if these are several.

    `earlier` is the record of the earlier run. `made` are the paths that this run makes, `kept` those of earlier runs.
    """
    groups = {json.dumps(record["versions"]): list(made)}
    for group in earlier.get("groups") or [{"versions": earlier.get("versions"), "clips": list(kept)}]:
        clips = [path for path in group["clips"] if path in set(kept)]
        groups.setdefault(json.dumps(group["versions"]), []).extend(clips)
    filled = [{"versions": json.loads(key), "clips": sorted(clips)} for key, clips in groups.items() if clips]
    if len(filled) > 1:
        record["groups"] = filled


def read_run(path: Path) -> dict[str, Any]:
    """The content of a `run.json`; `ValueError` if it is damaged."""
    try:
        run = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(run, dict) and isinstance(run.get("inputs", {}), dict):
            return run
    except ValueError:
        pass
    raise ValueError(
        f"{path} is damaged, so the settings of these flows are unknown; use --overwrite to extract them again"
    )


def inside(folder: Path, path: str) -> bool:
    """Whether a relative path stays inside a folder."""
    return (folder / path).resolve().is_relative_to(folder.resolve())
