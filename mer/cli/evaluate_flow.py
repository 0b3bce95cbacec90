"""`mer evaluate-flow`"""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer


class Split(str, Enum):
    train = "train"
    val = "val"
    test = "test"


def evaluate_flow(
    data: Annotated[Path, typer.Argument(help="A folder in FacialFlowNet's layout; `mer synth` makes one.")],
    method: Annotated[
        list[str] | None, typer.Option(help="Flow method; repeat for several. Default: the default.")
    ] = None,
    split: Annotated[Split, typer.Option(help="Part of the data.")] = Split.test,
    limit: Annotated[int | None, typer.Option(min=1, help="Take that many pairs, spread evenly.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write all rows there, as CSV.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda, for methods that are networks.")] = "auto",
) -> None:
    """Errors of flow methods where the true flow is known: facial, head and expression, in pixels inside the face.

    One-field methods get a head flow by fitting a rigid head to their field; the predictor that says 'no expression' is
    always in the table. Below it: by size of the true motion, and by region of the face.

    Example: `mer evaluate-flow rendered/ --method decflow --method dis --method tvl1`
    """
    from mer.evaluation.flow_error import BANDS, COMPONENTS, evaluate_flow, summarize
    from mer.extraction.methods import DEFAULT_METHOD
    from mer.utils.atomic_files import write_whole
    from mer.utils.progress import track

    rows = evaluate_flow(data, method or [DEFAULT_METHOD], split.value, limit=limit, device=device, track=track)
    if out is not None:
        with write_whole(out) as file:
            rows.to_csv(file, index=False, lineterminator="\n")
    table = summarize(rows)
    face = table[table["part"] == "face"]
    main = face.pivot(index="method", columns="component", values="epe")
    main = main.reindex(index=face["method"].unique(), columns=["facial", "head", "expression"])
    upstream = table[(table["part"] == "upstream") & (table["component"] == "facial")].set_index("method")
    main["upstream"] = upstream["epe"]
    main["seconds"] = face[face["component"] == "facial"].set_index("method")["seconds"]
    typer.echo(
        f"{int(face['pairs'].max())} pairs of {data}, split {split.value}. End-point error, px, mean over the face;"
    )
    typer.echo("upstream: its own formula, for facial flow; seconds: median per pair\n")
    typer.echo(_text(main))
    for component in COMPONENTS:
        rates = face[face["component"] == component].set_index("method")[["within_1px", "within_3px", "within_5px"]]
        typer.echo(f"\n{component}, share of the face\n\n{_text(rates)}")
    for title, parts in (
        ("by size of the true motion", list(BANDS)),
        ("by region", [part for part in table["part"].unique() if part not in (*BANDS, "face", "upstream")]),
    ):
        for component in COMPONENTS:
            chosen = table[(table["component"] == component) & table["part"].isin(parts)]
            if len(chosen):
                by_part = chosen.pivot(index="method", columns="part", values="epe")
                by_part = by_part.reindex(index=chosen["method"].unique(), columns=[p for p in parts if p in by_part])
                typer.echo(f"\n{component}, {title}\n\n{_text(by_part if title != 'by region' else by_part.T)}")


def _text(table) -> str:  # type: ignore[no-untyped-def]  # pandas at need
    table.index.name = table.columns.name = None
    return table.to_string(float_format=lambda value: f"{value:.3f}", na_rep="")
