"""A flow folder: where each clip's flow stands, what it was made with, and whether a new run may go on in it."""

from __future__ import annotations

import hashlib
import json
import platform
import re
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pandas as pd

from mer._version import __version__
from mer.datasets.samples import SamplesError, empty_samples, read_samples, readable
from mer.extraction.frame_files import clip_path, pair_path
from mer.utils.folder_lock import is_empty

# What all flows of a folder have in common, in run.json.
SETTINGS = ("method", "weights", "weights_sha256", "align", "size", "stabilize", "face", "apex", "apex_flow")
LONGEST_NAME = 200  # bytes; file systems take 255, and the onset and the suffix need some
LIBRARIES = ("numpy", "opencv-contrib-python", "torch", "mediapipe", "facenet-pytorch")


def flow_path(row: dict[str, Any]) -> str:
    """`<dataset>/<subject>/<clip>_<onset>.npz`: characters that a file system could trip over become underscores, the
    end of a name that is too long becomes a hash.
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
    """`SamplesError` where two clips would be written to one file; clips that already failed won't be written."""
    table = table[table["status"] == ""]
    twice = table[table["path"].str.lower().duplicated()]
    if len(twice):
        row = twice.iloc[0]
        raise SamplesError(f"two clips would be written to {row['path']}; rename {row['subject']}/{row['clip']}")


def run_record(settings: dict[str, Any], videos: str | Path, table: pd.DataFrame) -> dict[str, Any]:
    """What `run.json` holds: everything that decides the flows, so that they can be made again."""
    note = Path(videos) / "NOTE.txt"
    return {
        "command": command(),
        "versions": {"mer": __version__, "python": platform.python_version(), **versions()},
        "seed": None,  # nothing is drawn at random
        **settings,
        "inputs": {dataset: str(Path(videos).resolve()) for dataset in sorted(set(table["dataset"]))},
        "note": note.read_text(encoding="utf-8").strip() if note.is_file() else "",
    }


def command() -> list[str]:
    """The program that runs and its arguments; `mer`, when it was started as `python -m mer`."""
    program = Path(sys.argv[0])
    return [program.parent.name if program.name == "__main__.py" else program.name, *sys.argv[1:]]


def versions() -> dict[str, str]:
    """Releases of the libraries that decide the flows."""
    found = {}
    for library in LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            found[library] = "not installed"
    return found


def refuse_foreign(out: Path, overwrite: bool) -> None:
    """`ValueError` for a folder that is no flow folder, in which nothing may be touched."""
    if not overwrite and not (out / "run.json").exists() and not is_empty(out):
        raise ValueError(f"{out} is not empty and not a flow folder; choose another --out, or --overwrite")


def earlier_run(out: Path, record: dict[str, Any], overwrite: bool) -> pd.DataFrame:
    """The table of an earlier run in `out` that this one may go on from, blank if there is none.

    `record` is given the earlier run's inputs and note as well. With `overwrite`, the earlier flows are removed. The
    caller holds the folder's lock.

    Raises
    ------
    ValueError
        Where `out` holds flows made with other settings or from other videos.
    """
    if not (out / "run.json").exists():
        return empty_samples()
    earlier = read_samples(out) if (out / "samples.csv").exists() else empty_samples()
    if overwrite:
        for path in earlier.loc[earlier["status"] == "ok", "path"]:
            if inside(out, path):
                (out / path).unlink(missing_ok=True)
                clip_path(out / path).unlink(missing_ok=True)
                pair_path(out / path).unlink(missing_ok=True)
        # Before run.json changes: a run that is killed here must not find these rows under the new settings.
        (out / "samples.csv").unlink(missing_ok=True)
        return empty_samples()
    # There was one way to find the apex before there was a choice, and no word of the flow that it is found with.
    old = {"apex": "flow", "apex_flow": record.get("apex_flow"), **read_run(out / "run.json")}
    for name in SETTINGS:
        if name in record and old.get(name) != record[name]:
            was = f"{name} {old.get(name)!r}, now {record[name]!r}"
            raise ValueError(f"{out} holds flows made with {was}; choose another --out, or --overwrite")
    inputs = old.get("inputs") or {}
    for dataset, folder in record["inputs"].items():
        was = inputs.get(dataset, folder)
        if was != folder and Path(was).exists():  # a folder that was moved is no longer there
            raise ValueError(
                f"{out} holds flows of {dataset!r} from {was}, not {folder}; choose another --out, name the database "
                "in labels.csv, or --overwrite"
            )
    record["inputs"] = {**inputs, **record["inputs"]}
    record["note"] = record["note"] or old.get("note", "")
    return earlier


def read_run(path: Path) -> dict[str, Any]:
    """The content of a `run.json`; `ValueError` where it is damaged."""
    try:
        run = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(run, dict) and isinstance(run.get("inputs", {}), dict):
            return run
    except ValueError:
        pass
    raise ValueError(f"{path} is damaged: it doesn't say what these flows were made with; --overwrite makes them anew")


def inside(folder: Path, path: str) -> bool:
    return (folder / path).resolve().is_relative_to(folder.resolve())
