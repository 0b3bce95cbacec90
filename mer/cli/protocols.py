"""`mer protocols`"""

from __future__ import annotations

from typing import Annotated

import typer


def protocols(
    name: Annotated[
        str | None, typer.Argument(help="A protocol, or a .yaml file of your own; without it, all.")
    ] = None,
) -> None:
    """List the protocols, or show one: its databases, classes, expected counts and source.

    Example: `mer protocols megc2019`
    """
    from mer.protocol import PROTOCOLS, find_protocol

    if name is None:
        width = max(map(len, PROTOCOLS))
        for each in PROTOCOLS.values():
            typer.echo(f"{each.name:{width}}  {each.title}")
        return
    protocol = find_protocol(name)
    typer.echo(f"{protocol.name}: {protocol.title}")
    typer.echo(f"source: {protocol.source}")
    typer.echo(f"databases: {', '.join(protocol.databases) or 'any'}")
    typer.echo(f"classes: {', '.join(protocol.classes) or 'the labels found'}")
    for dataset, labels in protocol.labels.items():
        for value in dict.fromkeys(labels.values()):
            merged = ", ".join(label for label, to in labels.items() if to == value)
            typer.echo(f"  {'any database' if dataset == '*' else dataset}: {merged} -> {value}")
    if protocol.counts:
        typer.echo("clips expected:")
        for dataset, counts in protocol.counts.items():
            people = f", of {protocol.people[dataset]} people" if dataset in protocol.people else ""
            numbers = ", ".join(f"{value} {n}" for value, n in counts.items())
            typer.echo(f"  {dataset}: {sum(counts.values())} ({numbers}){people}")
        typer.echo(f"  all: {sum(sum(counts.values()) for counts in protocol.counts.values())}")
    for entry in protocol.drop:
        typer.echo(
            f"dropped: {entry['dataset']} {entry['subject']}/{entry['clip']}, {entry.get('why', '')}".rstrip(", ")
        )
    typer.echo(f"sha256: {protocol.sha256}")
