"""`mer evaluate`"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mer.cli.options import MODELS, Cluster, Component

if TYPE_CHECKING:
    from rich.table import Table

    from mer.evaluation.result import Result

SCORES = {"uf1": "UF1", "uar": "UAR", "accuracy": "accuracy"}


def evaluate(
    flows: Annotated[
        Path, typer.Argument(help="A folder of `mer extract-flow`, or of `mer spot` for a spotting protocol.")
    ] = Path("flows"),
    protocol: Annotated[str, typer.Option(help="A protocol of `mer protocols`, or a .yaml file of your own.")] = "loso",
    model: Annotated[
        str, typer.Option(help=f"Classifier: {MODELS}. With several, as a,b, each fold chooses one.")
    ] = "svm-hoof",
    component: Component = "expression",
    seeds: Annotated[int, typer.Option(min=1, help="Number of runs with different random numbers.")] = 5,
    report: Annotated[
        Path | None, typer.Option(help="Folder for the results.", show_default="results/PROTOCOL-MODEL-COMPONENT")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Number of processes.", show_default="1; all cores for neural networks")
    ] = None,
    cluster: Cluster = None,
    megc_csv: Annotated[
        Path | None, typer.Option(help="The organizers' list of clips, if the protocol has one.")
    ] = None,
    grid: Annotated[
        list[str] | None,
        typer.Option(
            help="Values of a hyperparameter, such as C=0.5,1,2; each fold chooses one on its training people. "
            "Repeat for several."
        ),
    ] = None,
    oracle_epoch: Annotated[
        bool,
        typer.Option("--oracle-epoch", help="Also score the best epoch on the test people, which is not a result."),
    ] = False,
    with_faces: Annotated[
        bool,
        typer.Option(
            "--with-faces/--no-faces", help="Show faces in the report; most databases forbid publishing them."
        ),
    ] = False,
) -> None:
    """Evaluate a classifier on unseen people, under a protocol.

    Prints UF1, UAR and accuracy with 95 % confidence intervals over people. Writes predictions, scores, the confusion
    matrix and a report. Clips without flow count as wrong, and the exit status is then 1. An interrupted run resumes if
    you repeat the command.

    Example: `mer evaluate flows/ --protocol loso --model svm-hoof`
    """
    import shutil

    from mer.evaluation.evaluate_folder import evaluate as run
    from mer.evaluation.protocols.protocol import find_protocol
    from mer.utils.folder_lock import lock_folder
    from mer.utils.progress import track

    rules = find_protocol(protocol)
    if rules.spotting:
        _evaluate_spotting(flows, protocol, report or Path("results") / rules.name)
        return
    folder = report or Path("results") / f"{rules.name}-{model}-{component}"
    with lock_folder(folder):
        result = run(
            flows,
            protocol=protocol,
            model=model.split(",") if "," in model else model,
            component=component,
            seeds=seeds,
            workers=workers,
            cluster=cluster,
            track=track,
            megc_csv=megc_csv,
            grid=_grid(grid or []),
            oracle_epoch=oracle_epoch,
            keep=folder / ".folds",
        )
        page = result.save(folder, with_faces)
        shutil.rmtree(folder / ".folds", ignore_errors=True)
    print_result(result)
    typer.echo(f"report: {page}")
    for clip in result.failed.to_dict("records"):
        name = "/".join(str(clip[key]) for key in ("dataset", "subject", "clip"))
        typer.echo(f"{name}: {clip['status']}: {clip['message']}", err=True)
    raise typer.Exit(1 if len(result.failed) else 0)


def _evaluate_spotting(folder: Path, protocol: str, out: Path) -> None:
    from mer.spotting import evaluate_spotting
    from mer.utils.folder_lock import lock_folder

    with lock_folder(out):
        result = evaluate_spotting(folder, protocol)
        result.save(out)
    typer.echo(result.scores.to_string(index=False, float_format=lambda value: f"{value:.4f}"))
    for note in result.notes:
        typer.echo(f"note: {note}", err=True)
    typer.echo(f"matched intervals, scores and logs: {out}")


def _grid(texts: list[str]) -> dict[str, list]:
    """`C=0.5,1` -> `{"C": [0.5, 1]}`, with numbers and booleans as in YAML."""
    import yaml

    grid = {}
    for text in texts:
        name, equals, values = text.partition("=")
        if not equals or not values:
            raise ValueError(f"--grid is {text!r}; expected a parameter and its values, such as C=0.5,1,2")
        try:
            grid[name.strip()] = [yaml.safe_load(value) for value in values.split(",")]
        except yaml.YAMLError as error:
            raise ValueError(f"--grid is {text!r}; {values!r} are not valid values") from error
    return grid


def print_result(result: Result) -> None:
    """Print the scores, and the confusion matrix averaged over the seeds."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    console = Console()
    if not console.is_terminal:
        console.width = 120
    style = box.SIMPLE_HEAD if console.is_terminal else None
    separator = " " if console.width >= 100 else "\n"  # on a narrow terminal, the interval goes below its score

    if result.run.get("note"):
        console.print(f"About these data: {result.run['note']}", markup=False)
    if result.protocol.units:
        console.print(_unit_table(result, Table(title=str(result), box=style), separator))
        console.print("With 95 % confidence intervals over people. Failed clips count as wrong.\n", highlight=False)
        return
    scores = Table(
        "",
        "clips",
        "people",
        *SCORES.values(),
        title=f"{result.settings['model']} under {result.protocol.name}",
        box=style,
    )
    for database, row in [("all", result.scores), *result.scores["databases"].items()]:
        values = [separator.join(_with_interval(row[key], row[f"{key}_interval"])) for key in SCORES]
        scores.add_row(database, str(row["n"]), str(row["n_subjects"]), *values)
    if len(result.scores["databases"]) > 1:
        mean = result.scores["databases_mean"]
        scores.add_row("mean of databases", "", "", *(f"{mean[key]:.3f}" for key in SCORES))
    constant = result.scores["constant"]
    scores.add_row(f"always {constant['class']}", "", "", *(f"{constant[key]:.3f}" for key in SCORES))
    console.print(scores)
    console.print("With 95 % confidence intervals over people. Failed clips count as wrong.", highlight=False)
    if "oracle" in result.scores:
        oracle = result.scores["oracle"]
        epochs = ", ".join(f"{label} {oracle[key]:.3f} ({oracle[f'{key}_gain']:+.3f})" for key, label in SCORES.items())
        console.print(f"{oracle['what']}: {epochs}.", highlight=False, markup=False)
    if len(result.chosen):
        for name in result.chosen.columns.drop(["fold", "seed"]):
            counts = ", ".join(f"{value} in {n}" for value, n in result.chosen[name].value_counts().items())
            console.print(f"{name}, chosen on training people: {counts} of {len(result.chosen)} folds", highlight=False)
    console.print()

    mean_counts = result.confusion_with_failed / result.runs
    columns = [*result.classes, "failed"] if mean_counts[:, -1].any() else list(result.classes)
    seeds = f", mean over {result.runs} seeds" if result.runs > 1 else ""
    confusion = Table("label \\ prediction", *columns, title=f"confusion matrix{seeds}", box=style)
    for label, row in zip(result.classes, mean_counts):
        confusion.add_row(label, *(f"{value:.1f}".removesuffix(".0") for value in row[: len(columns)]))
    console.print(confusion)


def _unit_table(result: Result, table: Table, separator: str) -> Table:
    for header in ("", "clips", "F1", "macro F1"):
        table.add_column(header)
    scores = result.scores
    for name, row in [("all", scores), *scores["databases"].items()]:
        values = [separator.join(_with_interval(row[key], row[f"{key}_interval"])) for key in ("f1", "macro_f1")]
        table.add_row(name, str(row["n"]), *values)
    parts = [(f"AU {unit}", row) for unit, row in scores["units"].items()]
    for name, row in [*parts, ("always present", scores["constant"])]:
        table.add_row(name, str(row.get("present", "")), *(f"{row[key]:.3f}" for key in ("f1", "macro_f1")))
    return table


def _with_interval(value: float, interval: list[float] | None) -> list[str]:
    return [f"{value:.3f}", f"{interval[0]:.3f}-{interval[1]:.3f}"] if interval else [f"{value:.3f}"]
