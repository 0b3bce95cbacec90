"""`mer weights`"""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer


class Action(str, Enum):
    convert = "convert"


def weights(
    action: Annotated[
        Action | None, typer.Argument(help="`convert`, or nothing to list the weights there are.")
    ] = None,
    file: Annotated[Path | None, typer.Argument(help="The authors' checkpoint (.pth), for `convert`.")] = None,
    out: Annotated[Path | None, typer.Option(help="Where to write the converted weights (.safetensors).")] = None,
) -> None:
    """List the weights that are there, with their cards; or convert the authors' DecFlow checkpoint.

    Example: `mer weights convert decflow-facialflownet.pth`
    """
    from mer.decflow.weights import convert, list_weights, weights_folder

    if action is not None:
        if file is None:
            raise ValueError("which checkpoint? mer weights convert decflow-facialflownet.pth")
        typer.echo(f"written: {convert(file, out)}")
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
