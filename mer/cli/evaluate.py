"""`mer evaluate`"""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from mer.result import Result

SCORES = {"uf1": "UF1", "uar": "UAR", "accuracy": "accuracy"}


class Component(str, Enum):
    expression = "expression"
    facial = "facial"
    head = "head"


def evaluate(
    flows: Annotated[Path, typer.Argument(help="A flow folder, as `mer extract-flow` writes it.")] = Path("flows"),
    protocol: Annotated[str, typer.Option(help="A name of `mer protocols`, or a .yaml file of your own.")] = "loso",
    model: Annotated[str, typer.Option(help="majority, svm-linear, svm-hoof or ststnet.")] = "svm-hoof",
    component: Annotated[Component, typer.Option(help="Which flow the classifier sees.")] = Component.expression,
    seeds: Annotated[int, typer.Option(min=1, help="Runs with different random numbers.")] = 5,
    report: Annotated[
        Path | None, typer.Option(help="Folder for the results.", show_default="results/PROTOCOL-MODEL-COMPONENT")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes.", show_default="1; all cores for networks")
    ] = None,
) -> None:
    """Test a classifier on people that it has not seen, under a protocol.

    Prints UF1, UAR and accuracy with 95 % intervals over people, and writes predictions, scores, the confusion matrix
    and a report. A clip whose flow failed counts as wrong; if there is one, the exit status is 1.

    Example: `mer evaluate flows/ --protocol loso --model svm-hoof`
    """
    from mer.cli.progress import track
    from mer.evaluation import evaluate as run

    result = run(
        flows, protocol=protocol, model=model, component=component.value, seeds=seeds, workers=workers, track=track
    )
    folder = report or Path("results") / f"{result.protocol.name}-{model}-{component.value}"
    page = result.save(folder)
    print_result(result)
    typer.echo(f"report: {page}")
    for clip in result.failed.to_dict("records"):
        where = "/".join(str(clip[key]) for key in ("dataset", "subject", "clip"))
        typer.echo(f"{where}: {clip['status']}: {clip['message']}", err=True)
    raise typer.Exit(1 if len(result.failed) else 0)


def print_result(result: Result) -> None:
    """Print the scores, and the confusion matrix as a mean over the seeds."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    console = Console()
    if not console.is_terminal:
        console.width = 120
    style = box.SIMPLE_HEAD if console.is_terminal else None
    gap = " " if console.width >= 100 else "\n"  # where the line is too short, the interval stands below its score

    if result.run.get("note"):
        console.print(f"About these data: {result.run['note']}", markup=False)
    scores = Table(
        "",
        "clips",
        "people",
        *SCORES.values(),
        title=f"{result.settings['model']} under {result.protocol.name}",
        box=style,
    )
    for database, row in [("all", result.scores), *result.scores["databases"].items()]:
        values = [gap.join(_with_interval(row[key], row[f"{key}_interval"])) for key in SCORES]
        scores.add_row(database, str(row["n"]), str(row["n_subjects"]), *values)
    constant = result.scores["constant"]
    scores.add_row(f"always {constant['class']}", "", "", *(f"{constant[key]:.3f}" for key in SCORES))
    console.print(scores)
    console.print("With 95 % intervals over people. Failed clips count as wrong.\n", highlight=False)

    counts = result.confusion_with_failed / result.runs
    failed = [*result.classes, "failed"] if counts[:, -1].any() else list(result.classes)
    over = f", mean over {result.runs} seeds" if result.runs > 1 else ""
    confusion = Table("truth \\ answer", *failed, title=f"confusion matrix{over}", box=style)
    for truth, line in zip(result.classes, counts):
        confusion.add_row(truth, *(f"{value:.1f}".removesuffix(".0") for value in line[: len(failed)]))
    console.print(confusion)


def _with_interval(value: float, ends: list[float] | None) -> list[str]:
    return [f"{value:.3f}", f"{ends[0]:.3f}-{ends[1]:.3f}"] if ends else [f"{value:.3f}"]
