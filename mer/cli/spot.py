"""`mer spot`"""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer


class Align(str, Enum):
    mediapipe = "mediapipe"
    mtcnn = "mtcnn"


class Face(str, Enum):
    largest = "largest"
    left = "left"
    right = "right"


def spot(
    video: Annotated[Path, typer.Argument(help="A video, or a folder of numbered frames.")],
    out: Annotated[Path | None, typer.Option(help="Folder for the results.", show_default="spotted/VIDEO")] = None,
    method: Annotated[str | None, typer.Option(help="Flow method; `mer doctor` lists them.")] = None,
    fps: Annotated[
        float | None, typer.Option(help="Frames a second, for a folder of frames, or where the file says it wrongly.")
    ] = None,
    rate: Annotated[float, typer.Option(help="Frames a second to look at, about; of faster videos, every nth.")] = 30.0,
    align: Annotated[Align, typer.Option(help="Face detector.")] = Align.mediapipe,
    face: Annotated[Face, typer.Option(help="Which face, where there are several.")] = Face.largest,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda, for methods that are networks.")] = "auto",
) -> None:
    """Find onset, apex and offset of each expression in a long video.

    Prints them, and writes intervals.csv, curve.csv and curve.png. The head's own motion, blinks and speech should not
    count; docs/spotting.md says how far that holds.

    Example: `mer spot interview.mp4 --out spotted/`
    """
    from mer.cli.progress import track
    from mer.spotting import spot as run
    from mer.spotting.spotting import METHOD

    found = run(
        video, method=method or METHOD, fps=fps, rate=rate, face=face.value, align=align.value, device=device,
        track=track,
    )  # fmt: skip
    folder = found.save(out or Path("spotted") / video.stem)
    if not found.keys:
        typer.echo(f"{video}: no face was found in it", err=True)
        raise typer.Exit(1)
    if len(found.intervals):
        table = found.intervals.drop(columns=["apex_time", "offset_time"])
        typer.echo(table.to_string(index=False, float_format=lambda value: f"{value:.2f}"))
    kinds = found.intervals["kind"].value_counts()
    counts = ", ".join(f"{kinds.get(kind, 0)} {kind}" for kind in ("micro", "macro"))
    typer.echo(f"{counts}; {found.frames / found.fps:.1f} s at {found.fps:g} frames a second; written to {folder}")
