"""How a program ends: one line on stderr for an error, Ctrl-C or SIGTERM, and the exit status that shells expect.

Kept by hand: click turns Ctrl-C into exit status 1 and leaves SIGTERM to the operating system, which skips all cleanup.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

STATUS = {130: "interrupted", 143: "terminated"}  # 128 + the number of the signal
RESUME = "run the same command again to resume"


class Ended(SystemExit):
    """The program was interrupted or terminated, and the line about it has been printed."""


@contextmanager
def clean_end(program: str, hint: str = RESUME) -> Iterator[None]:
    """Turn Ctrl-C into exit status 130 and SIGTERM into 143, with one line on stderr.

    Without it, SIGTERM, which batch systems and `kill` send, ends Python on the spot. Here both signals raise an
    exception, so that files are closed and temporary files removed.
    """
    with _handler(signal.SIGTERM, lambda number, frame: sys.exit(143)):
        try:
            yield
            return
        except KeyboardInterrupt:
            status = 130
        except SystemExit as end:  # from the handler above, or from typer, which turns Ctrl-C into 130
            if end.code not in STATUS or isinstance(end, Ended):
                raise
            status = int(end.code or 0)
    print(_line(program, status, hint), file=sys.stderr)
    raise Ended(status)


@contextmanager
def end_at_once(program: str, hint: str = RESUME) -> Iterator[None]:
    """End the process immediately on Ctrl-C: for the imports at the start, where nothing needs to be cleaned up.

    A `KeyboardInterrupt` during an import can be swallowed, or turned into an `ImportError`, by the imported module.
    """

    stderr = os.dup(2)  # the original one: what some libraries print during their import is redirected

    def end(number: int, frame: Any) -> None:
        os.write(stderr, f"{_line(program, 130, hint)}\n".encode())
        os._exit(130)

    ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN  # as a shell starts programs in the background
    try:
        with _handler(signal.SIGINT, signal.SIG_IGN if ignored else end):
            yield
    finally:
        os.close(stderr)


@contextmanager
def _handler(number: int, handler: Any) -> Iterator[None]:
    """Set a signal handler for the block; only the main thread may."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous: Callable | int | None = signal.signal(number, handler)
    try:
        yield
    finally:
        signal.signal(number, previous)


def _line(program: str, status: int, hint: str) -> str:
    return f"{program}: {STATUS[status]}; {hint}"


@contextmanager
def one_line_errors(program: str, *, debug: bool = False) -> Iterator[None]:
    """Turn errors that a user can fix into one line on stderr and exit status 2.

    These are `ValueError`, `OSError` and `ImportError`. Other errors are bugs and keep their traceback; with `debug`,
    all errors do.
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
    text = str(error)
    if "Original Traceback" in text:  # torch's message of an error in a worker process; its last line is the error
        text = text.rstrip().splitlines()[-1].partition(": ")[2]
    return " ".join(text.split()) or type(error).__name__
