"""`mer train`"""

from pathlib import Path
from typing import Annotated

import typer

from mer.cli.options import FACE_MODELS, MODELS, Command, Component

train = typer.Typer(no_args_is_help=True)


@train.callback()
def _train() -> None:
    """Train a classifier or a flow network.

    Example: `mer train classifier flows/ --out model.npz`
    """


@train.command(cls=Command)
def classifier(
    flows: Annotated[
        Path | None,
        typer.Argument(help="A flow folder with labels; optional for zero-shot models.", show_default=False),
    ] = None,
    out: Annotated[Path, typer.Option(help="Model file to write, an .npz.")] = Path("model.npz"),
    model: Annotated[str, typer.Option(help=f"Classifier: {MODELS}.")] = "svm-hoof",
    protocol: Annotated[str, typer.Option(help="Protocol of the evaluation that precedes the final fit.")] = "loso",
    component: Component = "expression",
    pretrain: Annotated[
        str | None, typer.Option(help="synth: first train the networks on rendered clips, instead of loading them.")
    ] = None,
    face_model: Annotated[
        list[str] | None,
        typer.Option(
            help=f"Faces to render: drawn, or NAME or NAME=PATH with one of {FACE_MODELS}. Repeat for several.",
            show_default="makehuman",
        ),
    ] = None,
    people: Annotated[int, typer.Option(min=1, help="Number of rendered people, 12 clips each.")] = 1600,
    networks: Annotated[int, typer.Option(min=1, help="Number of networks whose predictions are averaged.")] = 4,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the random numbers.")] = 0,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Number of processes for the evaluation.", show_default=False)
    ] = None,
) -> None:
    """Evaluate a classifier on unseen people, then fit it to all clips and save it.

    Example: `mer train classifier flows/ --model svm-hoof --out model.npz`

    Without any data: `mer train classifier --model zero-shot --pretrain synth --out model.npz`
    """
    from mer.cli.evaluate import print_result
    from mer.evaluation.train_classifier import train_classifier
    from mer.utils.progress import track

    pairs = [entry.partition("=") for entry in face_model or ["makehuman"]]
    result = train_classifier(
        out, model, flows, protocol, component, pretrain,
        [(name, path or None) for name, _, path in pairs if name != "drawn"], people, networks, seed, workers, track,
    )  # fmt: skip
    if result is None:
        typer.echo("not evaluated: no labeled clips were given")
    else:
        print_result(result)
    typer.echo(f"model: {out}")


@train.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})
def decflow(context: typer.Context) -> None:
    """Train a flow network; takes the flags of `python -m mer.decflow.train`.

    Example: `mer train decflow --data faces/ --out run/`
    """
    from mer.decflow.train import main

    raise typer.Exit(main(context.args, "mer train decflow"))
