"""`mer protocols`"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from mer.evaluation.protocols.folds import Split


def protocols(
    name: Annotated[
        str | None, typer.Argument(help="A protocol, or a .yaml file of your own.", show_default="list all protocols")
    ] = None,
) -> None:
    """List the evaluation protocols, or show the databases, classes, clip counts and source of one.

    Example: `mer protocols megc2019`
    """
    from mer.evaluation.protocols.protocol import PROTOCOLS, find_protocol

    if name is None:
        width = max(map(len, PROTOCOLS))
        for each in PROTOCOLS.values():
            typer.echo(f"{each.name:{width}}  {each.title}")
        return
    protocol = find_protocol(name)
    typer.echo(f"{protocol.name}: {protocol.title}")
    typer.echo(f"source: {protocol.source}")
    typer.echo(f"databases: {', '.join(protocol.databases) or 'any'}")
    if protocol.spotting:
        rules = protocol.spotting
        then = ", then recognized" if rules["recognize"] else ""
        typer.echo(f"spotted: {' and '.join(rules['kinds'])}-expressions{then}; minimum IoU {rules['iou']:g}")
    if protocol.units:
        typer.echo(f"action units, present or absent: {', '.join(map(str, protocol.units))}")
    elif protocol.classes or not protocol.spotting:
        typer.echo(f"classes: {', '.join(protocol.classes) or 'all labels in the data'}")
    if not protocol.spotting:
        typer.echo(f"tested: {_tested(protocol.split)}")
    for dataset, labels in protocol.labels.items():
        for value in dict.fromkeys(labels.values()):
            merged = ", ".join(label for label, to in labels.items() if to == value)
            where = "any database" if dataset == "*" else dataset
            typer.echo(f"  {where}: {merged} {'excluded' if value is None else f'-> {value}'}")
    if protocol.counts:
        typer.echo("published expressions:" if protocol.spotting else "expected clips:")
        for dataset, counts in protocol.counts.items():
            people = f", of {protocol.people[dataset]} people" if dataset in protocol.people else ""
            names = {name: _or(number) for name, number in counts.items()}
            alone = " or ".join(names.values()) if list(names) == ["*"] else ""
            classes = ", ".join(f"{name} {number}" for name, number in names.items())
            typer.echo(f"  {dataset}: {alone or f'{_total(counts.values())} ({classes})'}{people}")
        total = _total(number for counts in protocol.counts.values() for number in counts.values())
        people = f", of {protocol.people['*']} people" if "*" in protocol.people else ""
        typer.echo(f"  all: {total}{people}")
    for entry in protocol.drop:
        typer.echo(
            f"excluded: {entry['dataset']} {entry['subject']}/{entry['clip']}, {entry.get('why', '')}".rstrip(", ")
        )
    if protocol.list_sha256:
        typer.echo(f"organizers' list for --megc-csv, sha256: {protocol.list_sha256}")
    typer.echo(f"sha256: {protocol.sha256}")


def _tested(split: Split) -> str:
    if split == "person":
        return "one person at a time, trained on all others"
    if split == "dataset":
        return "one database at a time, trained on all others"
    assert isinstance(split, dict)
    if "test" in split:
        return f"{', '.join(split['test'])}, trained on {', '.join(split['train'])}"
    folds = split["folds"]
    return f"{folds if isinstance(folds, int) else len(folds)} folds of people, one at a time, trained on all others"


def _or(number: int | tuple[int, ...]) -> str:
    return str(number) if isinstance(number, int) else " or ".join(map(str, number))


def _total(numbers: Iterable[int | tuple[int, ...]]) -> str:
    """The sum. Where releases of a database differ, their counts are listed, and the first is summed."""
    counts = [(n,) if isinstance(n, int) else n for n in numbers]
    return f"{sum(n[0] for n in counts)}{' or more' if any(len(n) > 1 for n in counts) else ''}"
