"""`mer demo`"""

from pathlib import Path
from typing import Annotated

import typer

from mer.cli.options import Workers


def demo(
    folder: Annotated[Path, typer.Argument(help="Folder for all results.")] = Path("demo"),
    workers: Workers = 2,
) -> None:
    """Run the whole pipeline on a small synthetic data set: faces, flow, classifier, report.

    The clips show one photograph that is warped by synthetic action units. They test the installation; the scores say
    nothing about real people.

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
    from mer.utils.folder_lock import lock_folder
    from mer.utils.progress import track

    videos, flows, report = folder / "videos", folder / "flows", folder / "report"
    with lock_folder(folder):
        typer.echo(f"1/4  make a sample set: {videos}\n     {NOTE}")
        make_sample_set(videos, track=track)
        typer.echo(f"2/4  detect and align faces, find the apex, estimate flow: {flows}")
        table = extract_flow(videos, flows, workers=workers, track=track)
        typer.echo(f"3/4  evaluate svm-hoof, leave-one-subject-out, on the expression flow: {report}")
        result = evaluate(flows, protocol="loso", model="svm-hoof", workers=workers, track=track)
        result.save(report)
        print_result(result)
        strongest = table[(table["status"] == "ok") & (table["label"] == "positive")].iloc[0]
        picture = folder / "flow.png"
        plot_flow(load_flow(flows / strongest["path"]))
        plt.savefig(picture, dpi=110, bbox_inches="tight")
    typer.echo(f"4/4  plot the flow of {strongest['subject']}/{strongest['clip']}: {picture}")
    typer.echo(f"\nreport: {report / 'report.html'}")
    raise typer.Exit(0 if (table["status"] == "ok").all() else 1)
