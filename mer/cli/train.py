"""`mer train`"""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from mer.cli.evaluate import Component

train = typer.Typer(help="Train a model and save it.", no_args_is_help=True)


@train.callback()
def _train() -> None:
    """Train a model and save it."""


class Pretrain(str, Enum):
    synth = "synth"


@train.command()
def classifier(
    flows: Annotated[
        Path | None, typer.Argument(help="Flow folder with labels; optional for zero-shot.", show_default=False)
    ] = None,
    out: Annotated[Path, typer.Option(help="Output file, .npz.")] = Path("model.npz"),
    model: Annotated[str, typer.Option(help="A name of `mer.MODELS`.")] = "svm-hoof",
    protocol: Annotated[str, typer.Option(help="Protocol of the score on unseen people.")] = "loso",
    component: Annotated[Component, typer.Option(help="Flow that the classifier reads.")] = Component.expression,
    pretrain: Annotated[
        Pretrain | None,
        typer.Option(help="synth: train the networks of zero-shot or svm-hoof-synth from scratch on rendered clips."),
    ] = None,
    face_model: Annotated[
        list[str] | None,
        typer.Option(help="Rendered faces: makehuman, ict=PATH, flame=PATH or drawn; repeat for several."),
    ] = None,
    people: Annotated[int, typer.Option(min=1, help="Rendered people, 12 clips each.")] = 1600,
    networks: Annotated[int, typer.Option(min=1, help="Networks whose outputs are averaged.")] = 4,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes for the score.")] = None,
) -> None:
    """Fit a classifier to all clips and save it with its score on unseen people.

    Example: `mer train classifier flows/ --model svm-hoof --out model.npz`

    Without data: `mer train classifier --model zero-shot --pretrain synth --out model.npz`
    """
    from mer.cli.evaluate import print_result
    from mer.evaluation.train_classifier import train_classifier
    from mer.utils.progress import track

    pairs = [entry.partition("=") for entry in face_model or ["makehuman"]]
    result = train_classifier(
        out, model, flows, protocol, component.value, pretrain.value if pretrain else None,
        [(name, path or None) for name, _, path in pairs if name != "drawn"], people, networks, seed, workers, track,
    )  # fmt: skip
    if result is None:
        typer.echo("no score: there are no labeled clips")
    else:
        print_result(result)
    typer.echo(f"model: {out}")


@train.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})
def decflow(context: typer.Context) -> None:
    """Train a flow network. Equivalent to `python -m mer.decflow.train`; `--help` lists the flags.

    Example: `mer train decflow --data faces/ --out run/`
    """
    from mer.decflow.train import main

    raise typer.Exit(main(context.args, "mer train decflow"))
