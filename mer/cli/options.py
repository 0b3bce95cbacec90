"""Options that several commands share, and help texts that list names from the registries."""

import re
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperCommand


class Command(TyperCommand):
    """A command whose help texts contain `{module:ATTRIBUTE}`, which stands for a value or the names in a registry.

    The module is imported only when the help is shown, so that `mer --help` stays fast.
    """

    def format_help(self, ctx: Any, formatter: Any) -> None:
        for parameter in self.params:
            for attribute in ("help", "show_default"):
                if isinstance(text := getattr(parameter, attribute, None), str):
                    setattr(parameter, attribute, re.sub(r"{([\w.]+):(\w+)}", _names, text))
        super().format_help(ctx, formatter)


def _names(match: re.Match[str]) -> str:
    value = getattr(import_module(match[1]), match[2])
    return value if isinstance(value, str) else ", ".join(value)


METHODS = "{mer.extraction.methods:METHODS}"
DEFAULT_METHOD = "{mer.extraction.methods:DEFAULT_METHOD}"
DETECTORS = "{mer.face:DETECTORS}"
FACES = "{mer.extraction.settings:FACES}"
DATASETS = "{mer.datasets:DATASETS}"
MODELS = "{mer.models.registry:MODELS}"
COMPONENTS = "{mer.flow.files:COMPONENTS}"
SPLITS = "{mer.datasets.person_split:SPLITS}"
FACE_MODELS = "{mer.synth:FACE_MODELS}"

Method = Annotated[str | None, typer.Option(help=f"Optical-flow method: {METHODS}.", show_default=DEFAULT_METHOD)]
Align = Annotated[str, typer.Option(help=f"Face detector: {DETECTORS}.")]
Face = Annotated[str, typer.Option(help=f"Which face to use if there are several: {FACES}.")]
Component = Annotated[str, typer.Option(help=f"Flow component that the classifier sees: {COMPONENTS}.")]
Device = Annotated[str, typer.Option(help="Device for neural networks: auto, cpu, cuda or cuda:1.")]
Fps = Annotated[
    float | None, typer.Option(help="Frames per second, for a folder of frames or a file that states it wrongly.")
]
Size = Annotated[int, typer.Option(min=32, max=2048, help="Side of the aligned face crop, pixels.")]
Workers = Annotated[int, typer.Option(min=1, help="Number of processes; the result does not depend on it.")]
Cluster = Annotated[
    str | None,
    typer.Option(metavar="ADDRESS", help="Use the workers of this Dask scheduler: its address or its .json file."),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace results that were made with other settings.")]
