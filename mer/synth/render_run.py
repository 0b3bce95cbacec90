"""Runs of `mer synth`: one folder, one set of settings, resumable, identical bytes for any number of workers."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import cv2
from threadpoolctl import threadpool_limits

from mer._version import __version__
from mer.utils.atomic_files import write_whole
from mer.utils.folder_lock import is_empty, lock_folder
from mer.utils.processes import in_order, run_jobs

NOTE = "Synthetic: rendered faces with exact labels. Results on it say nothing about accuracy on people."


@contextmanager
def resumable_run(out: Path, settings: Any) -> Iterator[None]:
    """Lock the folder, and write `run.json` or check that it holds the same settings (a dataclass).

    `ValueError` if the folder holds a run with other settings, or other files.
    """
    run = json.loads(json.dumps({"made_by": f"mer {__version__}", "note": NOTE, "settings": asdict(settings)}))
    path = out / "run.json"
    if not path.exists() and not is_empty(out):
        raise ValueError(f"{out} is not empty and holds no run of mer synth; choose another folder")
    with lock_folder(out):
        if path.exists():
            _check_settings_match(path, run["settings"])
        else:
            with write_whole(path) as file:
                json.dump(run, file, indent=1, sort_keys=True)
                file.write("\n")
        yield


def _check_settings_match(path: Path, settings: dict[str, Any]) -> None:
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))["settings"]
        different = sorted(key for key in {*stored, *settings} if stored.get(key) != settings.get(key))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path}: not written by mer synth ({error}); choose another folder") from error
    if different:
        values = ", ".join(f"{key}={stored.get(key)}" for key in different)
        raise ValueError(
            f"{path.parent} holds a run with other settings ({values}); use the same settings, or choose another folder"
        )


def render_all(
    function: Callable[[Any], Any], jobs: list, out: Path, settings: Any, workers: int, cluster: str | None
) -> Iterator[Any]:
    """Yield `function(job)` for each job, in order, from this process, several, or a cluster's workers."""
    shared = [path for path in (out / "run.json", settings.faces, settings.face_model_path) if path]
    return in_order(run_jobs(partial(_on_one_thread, function), jobs, workers, cluster=cluster, shared=shared))


def _on_one_thread(function: Callable[[Any], Any], job: Any) -> Any:
    """Threads would change the order of sums in linear algebra, and so the last bits of the results."""
    cv2.setNumThreads(1)
    with threadpool_limits(1):
        return function(job)
