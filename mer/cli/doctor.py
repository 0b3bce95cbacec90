"""`mer doctor`"""

from __future__ import annotations

import platform
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mer.cli.options import DATASETS
from mer.utils.shutdown import end_at_once

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def doctor(
    root: Annotated[Path | None, typer.Argument(help="Folder of the database to check; needs --dataset.")] = None,
    dataset: Annotated[str | None, typer.Option(help=f"Database to check: {DATASETS}.")] = None,
    annotations: Annotated[
        Path | None, typer.Option(help="Annotation sheet of the database.", show_default="in or beside ROOT")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write every clip with its status to this CSV file.")] = None,
) -> None:
    """Check the installation or your copy of a database, and print how to fix problems.

    The exit status is 1 if the default settings cannot run, or if the copy differs from the published database.

    Example: `mer doctor` or `mer doctor --dataset casme2 CASME2/ --out rows.csv`
    """
    from rich.console import Console

    console = Console()
    if dataset is None and (root is not None or annotations is not None or out is not None):
        raise typer.BadParameter("name the database: mer doctor --dataset casme2 CASME2/")
    if dataset is not None and root is None:
        raise typer.BadParameter(f"name the folder of the database: mer doctor --dataset {dataset} ROOT")
    if dataset is not None and root is not None:
        fine = _check_dataset(console, dataset, root, annotations, out)
    else:
        with end_at_once("mer"):  # it imports every library, and some swallow Ctrl-C
            fine = _check_installation(console)
    raise typer.Exit(0 if fine else 1)


def _table(console: Console, *header: str, columns: int = 3) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD if console.is_terminal else box.ASCII2, show_header=bool(header))
    for i in range(columns):
        table.add_column(header[i] if header else "", overflow="fold")
    return table


def _check_dataset(console: Console, name: str, root: Path, annotations: Path | None, out: Path | None) -> bool:
    from rich.text import Text

    from mer.datasets import find_dataset, read_copy
    from mer.datasets.check import check_copy, counts, nearest, verdict
    from mer.datasets.tables import write_csv
    from mer.utils.atomic_files import write_whole

    database = find_dataset(name)
    copy = read_copy(database, root, annotations)
    findings = list(check_copy(database, copy))
    table = _table(console)
    for finding in findings:
        table.add_row(*map(Text, finding))  # not markup: folder names may contain brackets
    console.print(f"{database.title} in {root}", markup=False, highlight=False)
    console.print(table)
    edition = nearest(database, copy.samples)
    doubt = " (not all checked)" if edition and edition.unchecked else ""
    table = _table(console, "label", "clips here", f"published: {edition.source}{doubt}" if edition else "published")
    for label, here, published in counts(database, copy.samples):
        table.add_row(Text(label), str(here), published)
    console.print(table)
    fine, sentence = verdict(database, copy.samples, findings)
    if out is not None:
        with write_whole(out) as file:
            write_csv(copy.samples, file)
        console.print(f"every clip: {out}", markup=False, highlight=False, soft_wrap=True)
    elif any(finding.state in ("WRONG", "differs") for finding in findings):
        console.print("to list every clip with its status and message, add --out FILE.csv", highlight=False)
    console.print(sentence, highlight=False, soft_wrap=True)
    return fine


def _check_installation(console: Console) -> bool:
    table = _table(console)
    fine = True
    for required, ok, part, detail in _installation_checks():
        fine &= ok or not required
        table.add_row("ok" if ok else "MISSING" if required else "not installed", part, detail)
    console.print(table)
    return fine


def _installation_checks() -> Iterator[tuple[bool, bool, str, str]]:
    """Yield `(required by the default settings, works, part, detail)`."""
    import os

    from mer.extraction.flow_folder import versions

    yield True, _python() >= (3, 10), f"Python {platform.python_version()}", "3.10 or newer"
    for library, release in versions().items():
        yield True, release != "not installed", library, release
    yield True, *_opencv()
    yield True, *_videos()
    from mer.face import detector_status

    detectors = detector_status()
    for name, fault in detectors.items():
        yield name == "mediapipe" and _python() < (3, 13), not fault, f"faces by {name}", fault or "works"
    from mer.extraction.methods import DEFAULT_METHOD, METHODS, method_status

    for name in METHODS:
        fault = method_status(name)
        default = "the default" if name == DEFAULT_METHOD else "works"
        yield name == DEFAULT_METHOD, not fault, f"flow by {name}", fault or default
    from mer.datasets import DATASETS
    from mer.evaluation.protocols.protocol import PROTOCOLS
    from mer.models import MODELS

    yield True, bool(MODELS), f"{len(MODELS)} classifiers", ", ".join(MODELS)
    yield True, bool(PROTOCOLS), f"{len(PROTOCOLS)} protocols", ", ".join(PROTOCOLS)
    yield True, bool(DATASETS), f"{len(DATASETS)} databases", ", ".join(DATASETS)
    yield False, True, "processors", str(os.cpu_count())


def _python() -> tuple[int, int]:
    import sys

    return sys.version_info[:2]


def _opencv() -> tuple[bool, str, str]:
    from importlib.metadata import PackageNotFoundError, version

    from mer.utils.opencv import import_cv2

    try:
        has_tvl1 = hasattr(import_cv2(), "optflow")
    except ImportError as error:
        return False, "OpenCV", str(error)
    try:
        version("opencv-python")
        clash = "opencv-python overwrites opencv-contrib-python: uninstall both, then install opencv-contrib-python"
    except PackageNotFoundError:
        clash = ""
    return has_tvl1, "OpenCV with TV-L1", clash or ("works" if has_tvl1 else "reinstall opencv-contrib-python")


def _videos() -> tuple[bool, str, str]:
    import av

    codecs = [name for name in ("h264", "hevc", "mpeg4", "mpeg1video", "vp9") if name in av.codecs_available]
    return "h264" in codecs, "video by FFmpeg", ", ".join(codecs)
