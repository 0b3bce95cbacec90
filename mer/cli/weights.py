"""`mer weights`"""

from pathlib import Path
from typing import Annotated

import typer


def weights(
    action: Annotated[
        str | None, typer.Argument(help="convert or fetch.", show_default="list the installed weights")
    ] = None,
    source: Annotated[
        str | None,
        typer.Argument(metavar="FILE|URL", help="The authors' checkpoint (.pth) to convert, or the URL to fetch."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="convert: output file (.safetensors).")] = None,
    sha256: Annotated[str | None, typer.Option(help="fetch: expected SHA-256 of the file.")] = None,
    card_sha256: Annotated[
        str | None,
        typer.Option(help="fetch: expected SHA-256 of the card beside the file; without it, the card is not fetched."),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="fetch: name of the installed weights.", show_default="the file's name")
    ] = None,
) -> None:
    """List the installed weights with their cards, convert the authors' DecFlow checkpoint, or fetch weights.

    Example: `mer weights`, `mer weights convert decflow-facialflownet.pth`, or
    `mer weights fetch https://HOST/mine.safetensors --sha256 HASH`
    """
    from mer.decflow.import_weights import convert, fetch
    from mer.decflow.weights import list_weights, weights_folder

    if action == "convert":
        if source is None:
            raise ValueError("name the checkpoint: mer weights convert decflow-facialflownet.pth")
        typer.echo(f"written: {convert(source, out)}")
        return
    if action == "fetch":
        if source is None or sha256 is None:
            raise ValueError("name the URL and the hash: mer weights fetch https://HOST/mine.safetensors --sha256 HASH")
        typer.echo(f"written: {fetch(source, sha256, name or Path(source).stem, card_sha256)}")
        return
    if action is not None:
        raise ValueError(f"unknown action {action!r}; use convert, fetch, or no action to list the installed weights")
    cards = list_weights()
    if not cards:
        typer.echo(f"no weights are installed, neither in the package nor in {weights_folder()}")
    for card in cards:
        typer.echo(card.pop("name"))
        for key, value in card.items():
            if isinstance(value, dict):
                value = ", ".join(f"{k} {v}" for k, v in value.items())
            typer.echo(f"  {key}: {value}")
