"""`mer demo`"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def demo(
    folder: Annotated[Path, typer.Argument(help="Where everything is written.")] = Path("demo"),
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 2,
) -> None:
    """Make a small synthetic sample set, run the whole chain on it, and say where the report is.

    The clips are one photograph moved by drawn action units: they show that the chain works, and say nothing about
    accuracy on people.

    Example: `mer demo`
    """
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    from mer.cli.evaluate import print_result
    from mer.evaluation.evaluate_folder import evaluate
    from mer.extraction.extract import extract_flow
    from mer.flow import load_flow
    from mer.report.figures import plot_flow
    from mer.synth.sample_set import NOTE, make_sample_set
    from mer.utils.progress import track

    videos, flows, report = folder / "videos", folder / "flows", folder / "report"
    typer.echo(f"1/4  drawing a sample set in {videos}\n     {NOTE}")
    make_sample_set(videos, track=track)
    typer.echo(f"2/4  faces, alignment, apex and flow of each clip, into {flows}")
    table = extract_flow(videos, flows, workers=workers, track=track)
    typer.echo(f"3/4  leave-one-subject-out with svm-hoof on the expression flow, into {report}")
    result = evaluate(flows, protocol="loso", model="svm-hoof", workers=workers, track=track)
    result.save(report)
    print_result(result)
    strongest = table[(table["status"] == "ok") & (table["label"] == "positive")].iloc[0]
    picture = folder / "flow.png"
    plot_flow(load_flow(flows / strongest["path"]))
    plt.savefig(picture, dpi=110, bbox_inches="tight")
    typer.echo(f"4/4  the flow of {strongest['subject']}/{strongest['clip']}: {picture}")
    typer.echo(f"\nThe report: {report / 'report.html'}")
    raise typer.Exit(0 if (table["status"] == "ok").all() else 1)
