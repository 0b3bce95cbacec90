"""`mer analyze`"""

from pathlib import Path
from typing import Annotated

import typer

from mer.cli.options import DEFAULT_METHOD, DETECTORS, METHODS, Device, Face, Fps


def analyze(
    video: Annotated[Path, typer.Argument(help="A video, or a folder of numbered frames.")],
    out: Annotated[Path | None, typer.Option(help="Folder for the results.", show_default="analysis/VIDEO")] = None,
    model: Annotated[
        Path | None,
        typer.Option(
            help="Classifier that names the emotion, a file of `mer train classifier`.",
            show_default="networks trained on rendered faces only",
        ),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(help=f"Optical-flow method: {METHODS}.", show_default=f"the model's own, or {DEFAULT_METHOD}"),
    ] = None,
    fps: Fps = None,
    face: Face = "largest",
    align: Annotated[
        str | None,
        typer.Option(help=f"Face detector: {DETECTORS}.", show_default="the model's own, or mediapipe"),
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(
            min=32, max=2048, help="Side of the aligned face crop, pixels.", show_default="the model's own, or 224"
        ),
    ] = None,
    with_faces: Annotated[
        bool, typer.Option("--with-faces/--no-faces", help="Show the frames of the video in the report.")
    ] = True,
    device: Device = "auto",
) -> None:
    """Find the expressions in one video, measure them, and write a report.

    Prints the onset, apex, offset and emotion of each expression. Writes report.html, intervals.csv, units.csv,
    curve.csv, run.json and a flow folder. The report shows the face; use --no-faces before you share it.

    Example: `mer analyze me.mp4`
    """
    from mer.spotting.analyze_video import analyze as run
    from mer.utils.progress import track

    analysis = run(
        video, out, model=model, method=method, fps=fps, face=face, align=align, size=size, with_faces=with_faces,
        device=device, track=track,
    )  # fmt: skip
    for note in analysis.record["notes"]:
        typer.echo(note)
    if len(analysis.intervals):
        table = analysis.intervals[["onset", "apex", "offset", "onset_time", "seconds", "kind", "strength", "emotion"]]
        typer.echo(table.to_string(index=False, float_format=lambda value: f"{value:.2f}"))
        if not analysis.record["model"]["labeled"]:
            typer.echo(
                "The emotions are guesses of networks that were trained without labeled clips; "
                "to use your own classifier, add --model FILE."
            )
    else:
        typer.echo("No expression was found; the report shows the curve.")
    typer.echo(f"report: {analysis.report}")
    raise typer.Exit(0 if (analysis.intervals["status"] == "ok").all() else 1)
