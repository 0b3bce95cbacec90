"""The commands of `mer`, in the order and the groups of `mer --help`."""

from importlib import import_module

import typer

from mer._version import __version__
from mer.cli.options import Command

app = typer.Typer(
    name="mer",
    help="Recognize and spot micro-expressions: align faces, estimate optical flow, and evaluate on unseen people.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)

# Command -> its group in the help. The command `a-b` is the function, or the group, `a_b` in `mer/cli/a_b.py`.
COMMANDS = {
    "demo": "Get started",
    "analyze": "Get started",
    "doctor": "Get started",
    "extract-flow": "Optical flow",
    "import-flow": "Optical flow",
    "evaluate-flow": "Optical flow",
    "synth": "Optical flow",
    "weights": "Optical flow",
    "evaluate": "Recognition",
    "compare": "Recognition",
    "protocols": "Recognition",
    "train": "Recognition",
    "spot": "Spotting",
}


@app.callback(invoke_without_command=True)
def _options(
    version: bool = typer.Option(False, "--version", help="Print the version and exit."),
    debug: bool = typer.Option(False, "--debug", help="Show the traceback of an error; allowed after any command."),
) -> None:
    if version:
        typer.echo(f"mer {__version__}")
        raise typer.Exit


for _name, _group in COMMANDS.items():
    _function = _name.replace("-", "_")
    _command = getattr(import_module(f"mer.cli.{_function}"), _function)
    if isinstance(_command, typer.Typer):
        app.add_typer(_command, name=_name, rich_help_panel=_group)
    else:
        app.command(_name, cls=Command, rich_help_panel=_group)(_command)
