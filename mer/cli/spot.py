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
    video: Annotated[Path, typer.Argument(help="A video or a folder of numbered frames; or a folder of these.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder for the results.", show_default="spotted/VIDEO; of a folder, spotted")
    ] = None,
    dataset: Annotated[
        str | None, typer.Option(help="VIDEO is this database: casme-sq, samm-lv, ...; its sheet is the truth.")
    ] = None,
    annotations: Annotated[
        Path | None, typer.Option(help="Of a folder: the label file, or the database's sheet.")
    ] = None,
    model: Annotated[
        Path | None, typer.Option(help="Of a folder: a file of `mer train classifier`, which names the emotions.")
    ] = None,
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

    Of a folder of videos, or a database, it spots each, and writes spotted.csv beside truth.csv, what is annotated:
    `mer evaluate spotted --protocol spotting` scores that.

    Example: `mer spot interview.mp4 --out spotted/`, or `mer spot CASME_sq/ --dataset casme-sq --out spotted/`
    """
    from mer.datasets.video import frame_files
    from mer.spotting import spot as run
    from mer.spotting import spot_folder
    from mer.spotting.spot_video import METHOD
    from mer.utils.progress import track

    if dataset or (video.is_dir() and not frame_files(video)):
        folder = out or Path("spotted")
        videos = spot_folder(
            video, folder, dataset=dataset, annotations=annotations, method=method or METHOD, fps=fps, rate=rate,
            face=face.value, align=align.value, model=model, device=device, track=track,
        )  # fmt: skip
        failed = videos[videos["status"] != "ok"]
        for row in failed.to_dict("records"):
            typer.echo(f"{row['subject']}/{row['clip']}: {row['status']}: {row['message']}", err=True)
        typer.echo(f"{len(videos) - len(failed)} of {len(videos)} videos spotted; written to {folder}")
        raise typer.Exit(1 if len(failed) else 0)
    if annotations or model:
        raise ValueError("--annotations and --model are for a folder of videos; `mer analyze` takes one, and a model")
    found = run(
        video, method=method or METHOD, fps=fps, rate=rate, face=face.value, align=align.value, device=device,
        track=track,
    )  # fmt: skip
    if not found.keys:
        typer.echo(f"mer: {video}: no face was found in it", err=True)
        raise typer.Exit(1)
    folder = found.save(out or Path("spotted") / video.stem)
    if len(found.intervals):
        table = found.intervals.drop(columns=["apex_time", "offset_time"])
        typer.echo(table.to_string(index=False, float_format=lambda value: f"{value:.2f}"))
    kinds = found.intervals["kind"].value_counts()
    counts = ", ".join(f"{kinds.get(kind, 0)} {kind}" for kind in ("micro", "macro"))
    typer.echo(f"{counts}; {found.frames / found.fps:.1f} s at {found.fps:g} frames a second; written to {folder}")
