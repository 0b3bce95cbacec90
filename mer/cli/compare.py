"""`mer compare`"""

from pathlib import Path
from typing import Annotated

import typer


def compare(
    a: Annotated[Path, typer.Argument(help="A folder of results, written by `mer evaluate --report`.")],
    b: Annotated[Path, typer.Argument(help="Another folder of results on the same clips and folds.")],
    out: Annotated[Path | None, typer.Option(help="Also write the comparison to this .csv, .json or .html.")] = None,
) -> None:
    """Compare two classifiers: score differences with 95 % confidence intervals and a paired test.

    The intervals come from a bootstrap over people that draws the same people for both results. Results on different
    clips or folds are refused.

    Example: `mer compare results/loso-svm-hoof-expression results/loso-ststnet-expression`
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from mer.evaluation.compare import LABELS
    from mer.evaluation.compare import compare as run

    comparison = run(a, b)
    console = Console()
    if not console.is_terminal:
        console.width = 120
    table = Table(
        "", "score", "A", "B", "A - B", "95 % interval", "p", box=box.SIMPLE_HEAD if console.is_terminal else None
    )
    for row in comparison.rows.to_dict("records"):
        has_interval = row["low"] == row["low"]
        table.add_row(
            row["part"],
            LABELS[row["score"]],
            *(f"{row[key]:.3f}" for key in ("a", "b")),
            f"{row['difference']:+.3f}",
            f"{row['low']:+.3f} to {row['high']:+.3f}" if has_interval else "",
            f"{row['p']:.4f}" if has_interval else "",
        )
    console.print(f"A: {comparison.a.name}\nB: {comparison.b.name}", markup=False, highlight=False)
    console.print(table)
    console.print(str(comparison), markup=False, highlight=False)
    if out is not None:
        comparison.save(out)
        typer.echo(f"written: {out}")
