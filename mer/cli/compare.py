"""`mer compare`"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def compare(
    a: Annotated[Path, typer.Argument(help="A folder of results, as `mer evaluate --report` writes it.")],
    b: Annotated[Path, typer.Argument(help="Another one, on the same clips and folds.")],
    out: Annotated[Path | None, typer.Option(help="Also write it to this .csv, .json or .html.")] = None,
) -> None:
    """Compare two results on the same folds: each difference with its 95 % interval and a paired test.

    People are drawn again and again, the same ones for both, so that what is hard for both does not blur the
    difference. Results on other clips or folds are refused.

    Example: `mer compare results/loso-svm-hoof-expression results/loso-ststnet-expression`
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from mer.evaluation.compare import LABELS
    from mer.evaluation.compare import compare as run

    found = run(a, b)
    console = Console()
    if not console.is_terminal:
        console.width = 120
    table = Table(
        "", "score", "A", "B", "A - B", "95 % interval", "p", box=box.SIMPLE_HEAD if console.is_terminal else None
    )
    for row in found.rows.to_dict("records"):
        known = row["low"] == row["low"]
        table.add_row(
            row["part"],
            LABELS[row["score"]],
            *(f"{row[key]:.3f}" for key in ("a", "b")),
            f"{row['difference']:+.3f}",
            f"{row['low']:+.3f} to {row['high']:+.3f}" if known else "",
            f"{row['p']:.4f}" if known else "",
        )
    console.print(f"A: {found.a.name}\nB: {found.b.name}", markup=False, highlight=False)
    console.print(table)
    console.print(str(found), markup=False, highlight=False)
    if out is not None:
        found.save(out)
        typer.echo(f"written: {out}")
