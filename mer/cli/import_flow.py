"""`mer import-flow`"""

from pathlib import Path
from typing import Annotated

import typer

from mer.cli.options import Overwrite


def import_flow(
    images: Annotated[Path, typer.Argument(help="A folder of color images whose channels are u, v and strain.")],
    table: Annotated[Path, typer.Option(help="CSV file or workbook with the subject, clip and label of each image.")],
    out: Annotated[Path, typer.Option(help="Flow folder to write.")] = Path("flows"),
    order: Annotated[
        str, typer.Option(help="rgb if u is red and strain is blue; bgr if u is blue and strain is red.")
    ] = "rgb",
    scaling: Annotated[
        str,
        typer.Option(
            help="minmax if every channel of every image was scaled separately; centered if level 128 is zero motion."
        ),
    ] = "minmax",
    dataset: Annotated[str, typer.Option(help="Name of the database, if the table has no column for it.")] = "",
    column: Annotated[
        list[str] | None,
        typer.Option(help="Header of a column with an unusual name, such as subject=HEADER. Repeat for several."),
    ] = None,
    labels: Annotated[str, typer.Option(help="Names for labels, such as 0=negative,1=positive,2=surprise.")] = "",
    overwrite: Overwrite = False,
) -> None:
    """Turn published u/v/strain images and their table into a flow folder.

    Images are matched by name, `SUBJECT_CLIP.png`; blanks and capital letters are ignored. The imported flow is used as
    facial flow and as expression flow, since the head flow is unknown. The exit status is 1 if a clip has no image.

    Example: `mer import-flow images/ --table list.csv --out flows/`
    """
    from mer.extraction.import_flow import import_flow as run
    from mer.utils.progress import track

    samples = run(
        images,
        table,
        out,
        order=order,
        scaling=scaling,
        dataset=dataset,
        columns=_pairs(column or [], "--column subject=HEADER"),
        labels=_pairs(labels.split(",") if labels else [], "--labels 0=negative,1=positive"),
        overwrite=overwrite,
        track=track,
        warn=lambda line: typer.echo(f"note: {line}", err=True),
    )
    failed = samples[samples["status"] != "ok"]
    counts = ", ".join(f"{name} {n}" for name, n in samples["dataset"].value_counts(sort=False).items())
    typer.echo(f"{len(samples) - len(failed)} of {len(samples)} clips ({counts}): {out / 'samples.csv'}")
    for clip in failed.to_dict("records"):
        typer.echo(f"{clip['dataset']}/{clip['subject']}/{clip['clip']}: {clip['status']}: {clip['message']}", err=True)
    raise typer.Exit(1 if len(failed) else 0)


def _pairs(texts: list[str], example: str) -> dict[str, str]:
    """`a=b` -> `{"a": "b"}`."""
    pairs = [text.split("=", 1) for text in texts]
    if any(len(pair) < 2 for pair in pairs):
        raise ValueError(f"expected NAME=VALUE, as in {example}")
    return {key.strip(): value.strip() for key, value in pairs}
