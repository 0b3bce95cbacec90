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
        Action | None, typer.Argument(help="`convert`, `fetch`, or nothing to list the weights there are.")
    ] = None,
    source: Annotated[
        str | None,
        typer.Argument(metavar="FILE|URL", help="The authors' checkpoint (.pth) to convert; an address to fetch."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="convert: where to write (.safetensors).")] = None,
    sha256: Annotated[str | None, typer.Option(help="fetch: what the file's SHA-256 has to be.")] = None,
    name: Annotated[
        str | None, typer.Option(help="fetch: the weights' name from then on.", show_default="as in the address")
    ] = None,
) -> None:
    """List the weights that are there, with their cards; convert the authors' DecFlow checkpoint; or fetch weights.

    Example: `mer weights convert decflow-facialflownet.pth`, or
    `mer weights fetch https://HOST/mine.safetensors --sha256 HASH`
    """
    from mer.decflow.fetch import fetch
    from mer.decflow.weights import convert, list_weights, weights_folder

    if action is Action.convert:
        if source is None:
            raise ValueError("which checkpoint? mer weights convert decflow-facialflownet.pth")
        typer.echo(f"written: {convert(source, out)}")
        return
    if action is Action.fetch:
        if source is None or sha256 is None:
            raise ValueError("which weights? mer weights fetch https://HOST/mine.safetensors --sha256 HASH")
        typer.echo(f"written: {fetch(source, sha256, name or Path(source).stem)}")
        return
    cards = list_weights()
    if not cards:
        typer.echo(f"no weights, neither in the package nor in {weights_folder()}")
    for card in cards:
        typer.echo(card.pop("name"))
        for key, value in card.items():
            if isinstance(value, dict):
                value = ", ".join(f"{k} {v}" for k, v in value.items())
            typer.echo(f"  {key}: {value}")
