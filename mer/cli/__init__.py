"""The program `mer`: one thin file per command, which parses, calls and prints."""

from __future__ import annotations

import sys
from collections.abc import Callable

import typer

from mer._version import __version__
from mer.cli.analyze import analyze
from mer.cli.compare import compare
from mer.cli.demo import demo
from mer.cli.doctor import doctor
from mer.cli.evaluate import evaluate
from mer.cli.evaluate_flow import evaluate_flow
from mer.cli.extract_flow import extract_flow
from mer.cli.import_flow import import_flow
from mer.cli.protocols import protocols
from mer.cli.spot import spot
from mer.cli.synth import synth
from mer.cli.train import train
from mer.cli.weights import weights
from mer.utils.shutdown import clean_end, one_line_errors

app = typer.Typer(
    name="mer",
    help="Micro-expression recognition: faces, flow, and evaluation that does not leak.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def _options(
    version: bool = typer.Option(False, "--version", help="Print the version and exit."),
    debug: bool = typer.Option(False, "--debug", help="Show the traceback of an error; stands anywhere in the line."),
) -> None:
    if version:
        typer.echo(f"mer {__version__}")
        raise typer.Exit


COMMANDS: dict[str, Callable[..., None]] = {
    "extract-flow": extract_flow,
    "evaluate": evaluate,
    "compare": compare,
    "spot": spot,
    "analyze": analyze,
    "import-flow": import_flow,
    "protocols": protocols,
    "synth": synth,
    "evaluate-flow": evaluate_flow,
    "weights": weights,
    "doctor": doctor,
    "demo": demo,
}
for _name, _command in COMMANDS.items():
    app.command(_name)(_command)
app.add_typer(train, name="train")


def main() -> None:
    """Run the program.

    Exit status: 0 done, 1 some clips failed, 2 wrong usage or unreadable input, 130 or 143 interrupted or terminated.
    """
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    debug = len(arguments) < len(sys.argv) - 1
    with one_line_errors("mer", debug=debug), clean_end("mer"):
        app(args=arguments, prog_name="mer")
