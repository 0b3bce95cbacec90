"""How a program ends: with one line on what was wrong; and when it is told to end, with a word on how to go on."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

STATUS = {130: "interrupted", 143: "terminated"}  # 128 and the number of the signal, as shells count


class Ended(SystemExit):
    """The end of a program that has been told to end, and has said so."""


@contextmanager
def clean_end(program: str, again: str = "run the same command again to go on") -> Iterator[None]:
    """Leave the block by `SystemExit` 130 on Ctrl-C and 143 on SIGTERM, with one line on stderr.

    SIGTERM, by which batch systems and `kill` end a program, otherwise ends Python on the spot: no file would be put in
    order. Everything on the way out runs as it does on Ctrl-C.
    """
    before = None
    if threading.current_thread() is threading.main_thread():  # the only one that may set a handler
        before = signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(143))
    try:
        yield
    except KeyboardInterrupt:
        status = 130
    except SystemExit as end:  # of the handler above, or of typer, which makes Ctrl-C a 130
        if end.code not in STATUS or isinstance(end, Ended):
            raise
        status = int(end.code or 0)
    else:
        return
    finally:
        if before is not None:
            signal.signal(signal.SIGTERM, before)
    print(f"{program}: {STATUS[status]}; {again}", file=sys.stderr)
    raise Ended(status)


@contextmanager
def one_line_errors(program: str, *, debug: bool = False) -> Iterator[None]:
    """Leave the block with exit status 2 and one line on stderr where something ends it that a user can mend.

    Other errors are the program's own, and keep their traceback; with `debug`, all do.
    """
    try:
        yield
    except (ValueError, OSError, ImportError) as error:
        if debug:
            raise
        print(f"{program}: {_one_line(error)}", file=sys.stderr)
        sys.exit(2)


def _one_line(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return " ".join(str(error).split()) or type(error).__name__
