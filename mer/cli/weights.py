"""`mer weights`"""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer


class Action(str, Enum):
    convert = "convert"
    fetch = "fetch"


def weights(
    action: Annotated[
        Action | None, typer.Argument(help="`convert` or `fetch`; without it, list the installed weights.")
    ] = None,
    source: Annotated[
        str | None,
        typer.Argument(metavar="FILE|URL", help="The authors' checkpoint (.pth) to convert, or the address to fetch."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="convert: output file (.safetensors).")] = None,
    sha256: Annotated[str | None, typer.Option(help="fetch: SHA-256 of the file.")] = None,
    card_sha256: Annotated[
        str | None,
        typer.Option(help="fetch: SHA-256 of the card beside the file, to fetch it too."),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="fetch: name of the weights from now on.", show_default="as in the address")
    ] = None,
) -> None:
    """List the installed weights with their cards, convert the authors' DecFlow checkpoint, or fetch weights.

    Example: `mer weights convert decflow-facialflownet.pth`, or
    `mer weights fetch https://HOST/mine.safetensors --sha256 HASH`
    """
    from mer.decflow.import_weights import convert, fetch
    from mer.decflow.weights import list_weights, weights_folder

    if action is Action.convert:
        if source is None:
            raise ValueError("no checkpoint; expected mer weights convert decflow-facialflownet.pth")
        typer.echo(f"written: {convert(source, out)}")
        return
    if action is Action.fetch:
        if source is None or sha256 is None:
            raise ValueError(
                "address or hash missing; expected mer weights fetch https://HOST/mine.safetensors --sha256 HASH"
            )
        typer.echo(f"written: {fetch(source, sha256, name or Path(source).stem, card_sha256)}")
        return
    cards = list_weights()
    if not cards:
        typer.echo(f"no weights in the package or in {weights_folder()}")
    for card in cards:
        typer.echo(card.pop("name"))
        for key, value in card.items():
            if isinstance(value, dict):
                value = ", ".join(f"{k} {v}" for k, v in value.items())
            typer.echo(f"  {key}: {value}")
