"""`mer extract-flow`"""

from pathlib import Path
from typing import Annotated

import typer

from mer.cli.options import DATASETS, Align, Cluster, Device, Face, Method, Overwrite, Size, Workers


def extract_flow(
    videos: Annotated[
        Path, typer.Argument(help="A folder of VIDEOS/SUBJECT/CLIP.mp4, or of folders of frames; or one video.")
    ],
    out: Annotated[Path, typer.Option(help="Flow folder to write.")] = Path("flows"),
    method: Method = None,
    align: Align = "mediapipe",
    size: Size = 224,
    dataset: Annotated[
        str | None, typer.Option(help=f"Read VIDEOS as this database: {DATASETS}.", show_default="a plain folder")
    ] = None,
    annotations: Annotated[
        Path | None,
        typer.Option(help="Label file, or the annotation sheet of the database.", show_default="VIDEOS/labels.csv"),
    ] = None,
    labels: Annotated[str, typer.Option(help="Labels of the database: emotion or objective.")] = "emotion",
    stabilize: Annotated[bool, typer.Option("--stabilize", help="Align the apex by its own landmarks.")] = False,
    face: Face = "largest",
    apex: Annotated[
        str, typer.Option(help="How to find an apex without a label: {mer.extraction.apex:APEX_SEARCHES}.")
    ] = "flow",
    workers: Workers = 1,
    cluster: Cluster = None,
    memory_limit: Annotated[
        str | None,
        typer.Option(metavar="AMOUNT", help="Memory that each process may allocate, as 4GB; Linux only."),
    ] = None,
    clips: Annotated[
        bool, typer.Option("--clips", help="Also keep aligned gray frames, for svm-lbptop, svm-3dhog and r3d.")
    ] = False,
    pairs: Annotated[
        bool, typer.Option("--pairs", help="Also keep the aligned onset and apex, for end-to-end and mmnet-frames.")
    ] = False,
    device: Device = "auto",
    verify: Annotated[
        bool, typer.Option("--verify", help="Recognize changed videos by their content, not by size and time.")
    ] = False,
    overwrite: Overwrite = False,
) -> None:
    """Estimate facial, head and expression flow from onset to apex, for every clip of a folder.

    Detects and aligns the face, finds the apex if it has no label, estimates the flow, and writes samples.csv, run.json
    and one .npz per clip. An interrupted run resumes if you repeat the command. If a video, onset or apex has changed
    since, its clip is extracted again.

    Example: `mer extract-flow videos/ --out flows/ --workers 2`, or
    `mer extract-flow CASME2/ --dataset casme2 --out flows/`
    """
    from mer.extraction.extract import extract_flow as run
    from mer.extraction.methods import DEFAULT_METHOD
    from mer.utils.processes import LIMITS_MEMORY
    from mer.utils.progress import track

    if memory_limit and not LIMITS_MEMORY:
        typer.echo("note: --memory-limit has no effect on this system", err=True)
    table = run(
        videos, out, method=method or DEFAULT_METHOD, align=align, size=size, dataset=dataset, annotations=annotations,
        labels=labels, stabilize=stabilize, face=face, apex=apex, workers=workers, cluster=cluster, clips=clips,
        pairs=pairs, device=device, verify=verify, overwrite=overwrite, track=track, isolate=True,
        memory_limit=memory_limit,
        warn=lambda line: typer.echo(f"note: {line}", err=True),
    )  # fmt: skip
    ok = table["status"] == "ok"
    for row in table[~ok].to_dict("records"):
        typer.echo(f"{row['subject']}/{row['clip']}: {row['status']}: {row['message']}", err=True)
    typer.echo(f"{int(ok.sum())} of {len(table)} clips written to {out}")
    raise typer.Exit(0 if ok.all() else 1)
