"""`mer synth`"""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer


class Preset(str, Enum):
    ffn = "ffn"
    micro = "micro"
    benchmark = "benchmark"


class Split(str, Enum):
    all = "all"
    train = "train"
    val = "val"
    test = "test"


class FaceModelName(str, Enum):
    makehuman = "makehuman"
    ict = "ict"
    flame = "flame"


def synth(
    out: Annotated[Path, typer.Argument(help="The folder to write; run again, it goes on where it stopped.")],
    pairs: Annotated[int, typer.Option(min=1, help="Pairs of frames (presets ffn and micro).")] = 1000,
    preset: Annotated[
        Preset,
        typer.Option(
            help="ffn: large motion, FacialFlowNet's layout. micro: micro-expressions, same layout. "
            "benchmark: videos and labels.csv for `mer extract-flow`."
        ),
    ] = Preset.ffn,
    face_model: Annotated[
        FaceModelName, typer.Option(help="makehuman comes with mer[synth].")
    ] = FaceModelName.makehuman,
    face_model_path: Annotated[
        Path | None, typer.Option(help="File or folder of the face model; ict and flame need it.")
    ] = None,
    faces: Annotated[Path | None, typer.Option(help="A folder of portraits; without it, skin is generated.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same bytes.")] = 0,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
    cluster: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="A Dask scheduler whose workers render, or its .json file.")
    ] = None,
    size: Annotated[int, typer.Option(min=64, max=1024, help="Side of the pictures, pixels.")] = 256,
    frames: Annotated[
        int | None, typer.Option(help="2, 5, 10, 15 or 20 frames a sequence, instead of the preset's.")
    ] = None,
    head_motion: Annotated[
        float, typer.Option(min=0, max=4, help="micro and benchmark: factor of the head's motion.")
    ] = 1.0,
    head_images: Annotated[
        bool, typer.Option("--head-images", help="Also write each next frame with the head alone moved.")
    ] = False,
    split: Annotated[
        Split, typer.Option(help="ffn and micro: only the people of this split (who they are depends on names alone).")
    ] = Split.all,
    people: Annotated[int, typer.Option(min=1, help="benchmark: people.")] = 24,
    clips: Annotated[int, typer.Option(min=1, help="benchmark: clips for each person and class.")] = 6,
    preview: Annotated[
        bool, typer.Option("--preview", help="Also write preview.png and statistics.png (not benchmark).")
    ] = False,
) -> None:
    """Render faces with exact facial, head and expression flow.

    Everything is synthetic: results on it say nothing about accuracy on people.

    Example: `mer synth rendered --preset micro --pairs 200 --preview`
    """
    from mer.synth import BenchmarkSettings, make_benchmark
    from mer.synth.flow_dataset import NOTE, Settings, make_dataset
    from mer.utils.progress import track

    path = None if face_model_path is None else str(face_model_path)
    folder = None if faces is None else str(faces)
    if preset is Preset.benchmark:
        chosen = BenchmarkSettings(
            people=people, clips=clips, head_motion=head_motion, face_model=face_model.value, face_model_path=path,
            faces=folder, seed=seed, size=size,
        )  # fmt: skip
        make_benchmark(out, chosen, workers, track, cluster)
        typer.echo(f"{out / 'labels.csv'}: {people * 3 * clips} clips of {people} people. {NOTE}")
        return
    settings = Settings(
        preset=preset.value, pairs=pairs, face_model=face_model.value, face_model_path=path, faces=folder, seed=seed,
        size=size, frames=frames, head_motion=head_motion, head_images=head_images, split=split.value,
    )  # fmt: skip
    make_dataset(out, settings, workers, track, cluster)
    typer.echo(f"{out}: {pairs} pairs. {NOTE}")
    if preview:
        from mer.synth.preview import contact_sheet, statistics

        typer.echo(f"{contact_sheet(out, out / 'preview.png')}\n{statistics(out, out / 'statistics.png', faces)}")
