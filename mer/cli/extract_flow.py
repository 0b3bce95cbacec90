"""`mer extract-flow`"""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer


class Align(str, Enum):
    mediapipe = "mediapipe"
    mtcnn = "mtcnn"


class Labels(str, Enum):
    emotion = "emotion"
    objective = "objective"


class Face(str, Enum):
    largest = "largest"
    left = "left"
    right = "right"


class Apex(str, Enum):
    flow = "flow"
    strain = "strain"
    midpoint = "midpoint"


def extract_flow(
    videos: Annotated[Path, typer.Argument(help="VIDEOS/<subject>/<clip>.mp4, or folders of frames; or one video.")],
    out: Annotated[Path, typer.Option(help="The flow folder to write.")] = Path("flows"),
    method: Annotated[str | None, typer.Option(help="Flow method; `mer doctor` lists them.")] = None,
    align: Annotated[Align, typer.Option(help="Face detector.")] = Align.mediapipe,
    size: Annotated[int, typer.Option(min=32, max=2048, help="Side of the aligned crop, pixels.")] = 224,
    dataset: Annotated[
        str | None, typer.Option(help="VIDEOS is this database: casme2, samm, smic, ...; `mer doctor` lists them.")
    ] = None,
    annotations: Annotated[
        Path | None, typer.Option(help="Label file, if not VIDEOS/labels.csv; or the database's sheet.")
    ] = None,
    labels: Annotated[Labels, typer.Option(help="Which labels of the database.")] = Labels.emotion,
    stabilize: Annotated[bool, typer.Option("--stabilize", help="Align the apex by its own landmarks.")] = False,
    face: Annotated[Face, typer.Option(help="Which face, where there are several.")] = Face.largest,
    apex: Annotated[Apex, typer.Option(help="How an apex without a label is found.")] = Apex.flow,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
    cluster: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="A Dask scheduler whose workers extract, or its .json file.")
    ] = None,
    clips: Annotated[
        bool,
        typer.Option("--clips", help="Also keep aligned gray frames, which svm-lbptop, svm-3dhog, r3d see."),
    ] = False,
    pairs: Annotated[
        bool,
        typer.Option("--pairs", help="Also keep the aligned onset and apex, which end-to-end and mmnet-frames see."),
    ] = False,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda, for methods that are networks.")] = "auto",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Discard flows made with other settings.")] = False,
) -> None:
    """Estimate facial, head and expression flow from onset to apex, for each clip of a folder.

    Detects and aligns the face, finds the apex where no label names it, estimates the flow and writes a flow folder:
    samples.csv, run.json and one .npz per clip. Run again, it goes on where it stopped.

    Example: `mer extract-flow videos/ --out flows/ --workers 2`, or
    `mer extract-flow CASME2/ --dataset casme2 --out flows/`
    """
    from mer.extraction.extract import extract_flow as extract
    from mer.extraction.methods import DEFAULT_METHOD
    from mer.utils.progress import track

    table = extract(
        videos, out, method=method or DEFAULT_METHOD, align=align.value, size=size, dataset=dataset,
        annotations=annotations, labels=labels.value, stabilize=stabilize, face=face.value, workers=workers,
        device=device, overwrite=overwrite, track=track, cluster=cluster, clips=clips,
        pairs=pairs, apex=apex.value, warn=lambda line: typer.echo(f"note: {line}", err=True),
    )  # fmt: skip
    ok = table["status"] == "ok"
    for row in table[~ok].to_dict("records"):
        typer.echo(f"{row['subject']}/{row['clip']}: {row['status']}: {row['message']}", err=True)
    typer.echo(f"{int(ok.sum())} of {len(table)} clips written to {out}")
    raise typer.Exit(0 if ok.all() else 1)
