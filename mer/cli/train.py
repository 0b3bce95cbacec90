"""`mer train`"""

from __future__ import annotations

import typer

train = typer.Typer(help="Train a model and save it.", no_args_is_help=True)


@train.callback()
def _train() -> None:
    """Train a model and save it."""


@train.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})
def decflow(context: typer.Context) -> None:
    """Train a flow network; the same program as `python -m mer.decflow.train`, with the same flags.

    Example: `mer train decflow --data faces/ --out run/`
    """
    from mer.decflow.train import main

    raise typer.Exit(main(context.args))
