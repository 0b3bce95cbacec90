"""`mer spot`"""

from pathlib import Path
from typing import Annotated

import typer

from mer.cli.options import DATASETS, METHODS, Align, Device, Face, Fps


def spot(
    video: Annotated[Path, typer.Argument(help="A video, a folder of numbered frames, or a folder of videos.")],
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for the results.", show_default="spotted/VIDEO, or spotted for a folder of videos"),
    ] = None,
    dataset: Annotated[str | None, typer.Option(help=f"Read VIDEO as this database: {DATASETS}.")] = None,
    annotations: Annotated[
        Path | None, typer.Option(help="For a folder of videos: the label file, or the database's annotation sheet.")
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option(help="For a folder of videos: classifier that names emotions, a file of `mer train classifier`."),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(help=f"Optical-flow method: {METHODS}.", show_default="{mer.spotting.spot_video:METHOD}"),
    ] = None,
    fps: Fps = None,
    rate: Annotated[
        float, typer.Option(help="Approximate frames per second to process; faster videos are subsampled.")
    ] = 30.0,
    align: Align = "mediapipe",
    face: Face = "largest",
    device: Device = "auto",
    verify: Annotated[
        bool,
        typer.Option("--verify", help="For a folder of videos: recognize changed ones by content, not size and time."),
    ] = False,
) -> None:
    """Find the onset, apex and offset of every expression in a long video.

    Prints the intervals and writes intervals.csv, curve.csv and curve.png. Head motion, blinks and speech should not
    count as expressions; docs/spotting.md reports how well that works.

    For a folder of videos or a database, writes spotted.csv, and truth.csv with the annotated intervals. Score them
    with `mer evaluate spotted --protocol spotting`.

    Example: `mer spot interview.mp4 --out spotted/`, or `mer spot CASME_sq/ --dataset casme-sq --out spotted/`
    """
    from mer.datasets.video import frame_files
    from mer.spotting import spot as run
    from mer.spotting import spot_folder
    from mer.spotting.spot_video import METHOD
    from mer.utils.folder_lock import lock_folder
    from mer.utils.progress import track

    if dataset or (video.is_dir() and not frame_files(video)):
        folder = out or Path("spotted")
        videos = spot_folder(
            video, folder, dataset=dataset, annotations=annotations, method=method or METHOD, fps=fps, rate=rate,
            face=face, align=align, model=model, device=device, verify=verify, track=track,
        )  # fmt: skip
        failed = videos[videos["status"] != "ok"]
        for row in videos[(videos["status"] == "ok") & (videos["message"].fillna("") != "")].to_dict("records"):
            typer.echo(f"note: {row['subject']}/{row['clip']}: {row['message']}", err=True)
        for row in failed.to_dict("records"):
            typer.echo(f"{row['subject']}/{row['clip']}: {row['status']}: {row['message']}", err=True)
        typer.echo(f"{len(videos) - len(failed)} of {len(videos)} videos spotted; written to {folder}")
        raise typer.Exit(1 if len(failed) else 0)
    if annotations or model:
        raise ValueError("--annotations and --model are for a folder of videos; for one video, use `mer analyze`")
    folder = out or Path("spotted") / video.stem
    with lock_folder(folder):
        spotting = run(
            video, method=method or METHOD, fps=fps, rate=rate, face=face, align=align, device=device, track=track
        )
        if not spotting.keys:
            typer.echo(f"mer: {video}: no face was found", err=True)
            raise typer.Exit(1)
        spotting.save(folder)
    for note in spotting.notes:
        typer.echo(f"note: {note}", err=True)
    if len(spotting.intervals):
        table = spotting.intervals.drop(columns=["apex_time", "offset_time"])
        typer.echo(table.to_string(index=False, float_format=lambda value: f"{value:.2f}"))
    kinds = spotting.intervals["kind"].value_counts()
    counts = ", ".join(f"{kinds.get(kind, 0)} {kind}" for kind in ("micro", "macro"))
    seconds = spotting.frames / spotting.fps
    typer.echo(f"{counts}; {seconds:.1f} s at {spotting.fps:g} frames per second; written to {folder}")
