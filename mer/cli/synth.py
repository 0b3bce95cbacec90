"""`mer synth`"""

from pathlib import Path
from typing import Annotated

import typer

from mer.cli.options import FACE_MODELS, SPLITS, Cluster, Workers


def synth(
    out: Annotated[Path, typer.Argument(help="Folder to write.")],
    pairs: Annotated[int, typer.Option(min=1, help="ffn, micro: number of pairs of frames.")] = 1000,
    preset: Annotated[
        str,
        typer.Option(
            help="ffn: large motion, in FacialFlowNet's layout. micro: micro-expressions, in the same layout. "
            "benchmark: videos and labels.csv for `mer extract-flow`."
        ),
    ] = "ffn",
    face_model: Annotated[
        str, typer.Option(help=f"Face model: {FACE_MODELS}. makehuman is installed with mer[synth].")
    ] = "makehuman",
    face_model_path: Annotated[
        Path | None, typer.Option(help="File or folder of the face model; required for ict and flame.")
    ] = None,
    faces: Annotated[
        Path | None, typer.Option(help="A folder of portraits to use as skin.", show_default="generated skin")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the random numbers; determines every byte.")] = 0,
    workers: Workers = 1,
    cluster: Cluster = None,
    size: Annotated[int, typer.Option(min=64, max=1024, help="Side of the images, pixels.")] = 256,
    frames: Annotated[
        int | None,
        typer.Option(help="ffn, micro: frames per sequence, 2, 5, 10, 15 or 20.", show_default="set by the preset"),
    ] = None,
    head_motion: Annotated[
        float, typer.Option(min=0, max=4, help="micro, benchmark: factor of the head motion.")
    ] = 1.0,
    head_images: Annotated[
        bool,
        typer.Option(
            "--head-images", help="ffn, micro: also write the second frame of each pair with head motion only."
        ),
    ] = False,
    split: Annotated[str, typer.Option(help=f"ffn, micro: render only people of this split: all, {SPLITS}.")] = "all",
    people: Annotated[int, typer.Option(min=1, help="benchmark: number of people.")] = 24,
    clips: Annotated[int, typer.Option(min=1, help="benchmark: clips per person and class.")] = 6,
    preview: Annotated[
        bool, typer.Option("--preview", help="ffn, micro: also write preview.png and statistics.png.")
    ] = False,
) -> None:
    """Render faces with exact facial, head and expression flow.

    All faces are synthetic: results on them say nothing about accuracy on real people. An interrupted run resumes if
    you repeat the command.

    Example: `mer synth rendered/ --preset micro --pairs 200 --preview`
    """
    from mer.synth import BenchmarkSettings, Settings, make_benchmark, make_dataset
    from mer.synth.render_run import NOTE
    from mer.utils.progress import track

    path = None if face_model_path is None else str(face_model_path)
    folder = None if faces is None else str(faces)
    if preset == "benchmark":
        benchmark = BenchmarkSettings(
            people=people, clips=clips, head_motion=head_motion, face_model=face_model, face_model_path=path,
            faces=folder, seed=seed, size=size,
        )  # fmt: skip
        make_benchmark(out, benchmark, workers, track, cluster)
        typer.echo(f"{out / 'labels.csv'}: {people * 3 * clips} clips of {people} people. {NOTE}")
        return
    settings = Settings(
        preset=preset, pairs=pairs, face_model=face_model, face_model_path=path, faces=folder, seed=seed, size=size,
        frames=frames, head_motion=head_motion, head_images=head_images, split=split,
    )  # fmt: skip
    make_dataset(out, settings, workers, track, cluster)
    typer.echo(f"{out}: {pairs} pairs. {NOTE}")
    if preview:
        from mer.synth.preview import contact_sheet, statistics

        typer.echo(f"{contact_sheet(out, out / 'preview.png')}\n{statistics(out, out / 'statistics.png', faces)}")
