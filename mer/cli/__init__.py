"""The program `mer`: one file per command, which parses, calls a function of the toolkit, and prints."""

import sys
import warnings

from mer.utils.shutdown import clean_end, end_at_once, one_line_errors


def main() -> None:
    """Run the program.

    Exit status: 0 success, 1 some clips failed, 2 wrong usage or unreadable input, 130 interrupted, 143 terminated.
    """
    sys.argv[0] = "mer"  # recorded in run.json; `python -m mer` would be recorded as `__main__.py`
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    warnings.showwarning = lambda message, *_: print(f"note: {message}", file=sys.stderr)
    debug = len(arguments) < len(sys.argv) - 1
    with one_line_errors("mer", debug=debug), clean_end("mer"):
        with end_at_once("mer"):
            from mer.cli import program
        program.app(args=arguments, prog_name="mer")
