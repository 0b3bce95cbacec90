"""`mer import-flow`"""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer


class Order(str, Enum):
    rgb = "rgb"
    bgr = "bgr"


class Scaling(str, Enum):
    minmax = "minmax"
    centered = "centered"


def import_flow(
    images: Annotated[Path, typer.Argument(help="A folder of color images that hold u, v and strain.")],
    table: Annotated[Path, typer.Option(help="A CSV or workbook with the subject, clip and label of each image.")],
    out: Annotated[Path, typer.Option(help="Where the flow folder is written.")] = Path("flows"),
    order: Annotated[Order, typer.Option(help="rgb: u is red and strain blue; bgr: the other way round.")] = Order.rgb,
    scaling: Annotated[
        Scaling, typer.Option(help="minmax: each channel of each image by itself; centered: 128 is no motion in all.")
    ] = Scaling.minmax,
    dataset: Annotated[str, typer.Option(help="The database, where the table has no column for it.")] = "",
    column: Annotated[
        list[str] | None, typer.Option(help="A column whose header is not known, as subject=HEADER; may be repeated.")
    ] = None,
    labels: Annotated[str, typer.Option(help="Names for labels, as 0=negative,1=positive,2=surprise.")] = "",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier flow folder.")] = False,
) -> None:
    """Turn somebody else's published u/v/strain images and their table into a flow folder.

    An image is found by its name, `SUBJECT_CLIP.png`; stray blanks and capital letters do no harm. Its flow stands for
    facial and expression flow, since no other is known. If a clip has no image, the exit status is 1.

    Example: `mer import-flow images/ --table list.csv --out flows && mer evaluate flows --protocol megc2019`
    """
    from mer.extraction.import_flow import import_flow as run
    from mer.utils.progress import track

    samples = run(
        images,
        table,
        out,
        order=order.value,
        scaling=scaling.value,
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
        raise ValueError(f"expected pairs, as in {example}")
    return {key.strip(): value.strip() for key, value in pairs}
