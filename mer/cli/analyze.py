"""`mer analyze`"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mer.cli.extract_flow import Align, Face


def analyze(
    video: Annotated[Path, typer.Argument(help="A video, or a folder of numbered frames.")],
    out: Annotated[Path | None, typer.Option(help="Folder for the results.", show_default="analysis/VIDEO")] = None,
    model: Annotated[
        Path | None,
        typer.Option(
            help="A file of `mer train classifier`, for the emotion.", show_default="networks that saw no real label"
        ),
    ] = None,
    method: Annotated[str | None, typer.Option(help="Flow method.", show_default="the model's own, or decflow")] = None,
    fps: Annotated[
        float | None, typer.Option(help="Frames a second, for a folder of frames, or where the file says it wrongly.")
    ] = None,
    face: Annotated[Face, typer.Option(help="Which face, where there are several.")] = Face.largest,
    align: Annotated[
        Align | None, typer.Option(help="Face detector.", show_default="the model's own, or mediapipe")
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(min=32, max=2048, help="Side of the aligned crop.", show_default="the model's own, or 224"),
    ] = None,
    with_faces: Annotated[bool, typer.Option("--with-faces/--no-faces", help="Show the frames in the report.")] = True,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda, for methods that are networks.")] = "auto",
) -> None:
    """Find the expressions in one video, measure and read each, and write a report.

    Prints onset, apex, offset and the emotion of each, and writes report.html, intervals.csv, units.csv, curve.csv,
    run.json and a flow folder. The report shows the face, for your own eyes; --no-faces leaves it out.

    Example: `mer analyze me.mp4`
    """
    from mer.spotting.analyze_video import analyze as run
    from mer.utils.progress import track

    found = run(
        video, out, model=model, method=method, fps=fps, face=face.value, align=align.value if align else None,
        size=size, with_faces=with_faces, device=device, track=track,
    )  # fmt: skip
    for note in found.record["notes"]:
        typer.echo(note)
    if len(found.intervals):
        table = found.intervals[["onset", "apex", "offset", "onset_time", "seconds", "kind", "strength", "emotion"]]
        typer.echo(table.to_string(index=False, float_format=lambda value: f"{value:.2f}"))
        if not found.record["model"]["labeled"]:
            typer.echo(
                "The emotion is a guess by networks that have seen no real label; --model FILE takes a fitted one."
            )
    else:
        typer.echo("No expression was found; the report shows the curve.")
    typer.echo(f"report: {found.report}")
    raise typer.Exit(0 if (found.intervals["status"] == "ok").all() else 1)
