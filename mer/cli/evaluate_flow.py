"""`mer evaluate-flow`"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mer.cli.options import DEFAULT_METHOD, METHODS, SPLITS, Device

if TYPE_CHECKING:
    import pandas as pd


def evaluate_flow(
    data: Annotated[Path, typer.Argument(help="A folder in FacialFlowNet's layout, such as one of `mer synth`.")],
    method: Annotated[
        list[str] | None,
        typer.Option(help=f"Optical-flow method: {METHODS}. Repeat for several.", show_default=DEFAULT_METHOD),
    ] = None,
    split: Annotated[str, typer.Option(help=f"Part of the data: {SPLITS}.")] = "test",
    limit: Annotated[int | None, typer.Option(min=1, help="Use this many pairs, evenly spread over the data.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write the errors of every pair to this CSV file.")] = None,
    device: Device = "auto",
) -> None:
    """Measure the endpoint error of flow methods on data with exact flow.

    Reports facial, head and expression flow inside the face, by size of the motion and by region of the face. A method
    that estimates one field gets its head flow from a rigid fit to that field. The zero-flow baseline, 'no expression',
    is always included.

    Example: `mer evaluate-flow rendered/ --method decflow --method dis --method tvl1`
    """
    from mer.datasets.tables import write_csv
    from mer.evaluation.flow_error import BANDS, COMPONENTS, evaluate_flow, summarize
    from mer.extraction import methods
    from mer.utils.atomic_files import write_whole
    from mer.utils.progress import track

    rows = evaluate_flow(data, method or [methods.DEFAULT_METHOD], split, limit=limit, device=device, track=track)
    if out is not None:
        with write_whole(out) as file:
            write_csv(rows, file)
    table = summarize(rows)
    face = table[table["part"] == "face"]
    main = face.pivot(index="method", columns="component", values="epe")
    main = main.reindex(index=face["method"].unique(), columns=["facial", "head", "expression"])
    upstream = table[(table["part"] == "upstream") & (table["component"] == "facial")].set_index("method")
    main["upstream"] = upstream["epe"]
    main["seconds"] = face[face["component"] == "facial"].set_index("method")["seconds"]
    typer.echo(f"{int(face['pairs'].max())} pairs of {data}, split {split}. Mean endpoint error over the face, pixels.")
    typer.echo("upstream: facial flow by the formula of the DecFlow authors; seconds: median per pair\n")
    typer.echo(_text(main))
    for component in COMPONENTS:
        rates = face[face["component"] == component].set_index("method")[["within_1px", "within_3px", "within_5px"]]
        typer.echo(f"\n{component}, share of the face\n\n{_text(rates)}")
    for title, parts in (
        ("by size of the true motion", list(BANDS)),
        ("by region", [part for part in table["part"].unique() if part not in (*BANDS, "face", "upstream")]),
    ):
        for component in COMPONENTS:
            selected = table[(table["component"] == component) & table["part"].isin(parts)]
            if len(selected):
                by_part = selected.pivot(index="method", columns="part", values="epe")
                by_part = by_part.reindex(index=selected["method"].unique(), columns=[p for p in parts if p in by_part])
                typer.echo(f"\n{component}, {title}\n\n{_text(by_part if title != 'by region' else by_part.T)}")


def _text(table: pd.DataFrame) -> str:
    table.index.name = table.columns.name = None
    return table.to_string(float_format=lambda value: f"{value:.3f}", na_rep="")
