"""Jobs that must leave nothing behind: each runs in a fresh process that ends with it.

A fresh process that imports NumPy and scikit-learn takes two to three seconds to start. So servers import them once and
fork a process for each job, which takes milliseconds. A server only passes on bytes: it never unpacks a job or an
answer, so no job can change it. Python's own `forkserver` does nearly this, but its processes run the main script
again, which fails in scripts without `if __name__ == "__main__"`. Windows cannot fork, and macOS libraries do not
survive it; there, each job starts a process from scratch.
"""

import multiprocessing
import os
import pickle
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from importlib import import_module
from multiprocessing.connection import Connection
from typing import Any

from mer.utils.processes import ONE_THREAD, WorkerDied, end_with_parent

FORKS = sys.platform == "linux"


def run_in_fresh_processes(
    function: Callable[[Any], Any], jobs: Sequence[Callable[[], Any]], workers: int = 1, imports: Sequence[str] = ()
) -> Iterator[Any]:
    """Yield `function(job())` of each job in order, each in a fresh process that ends with it.

    Parameters
    ----------
    function : function
        May be defined in a script or a notebook: it is sent by cloudpickle.
    jobs : sequence of functions
        Each returns the argument of one call. It is called when its turn comes, so that few arguments are in memory.
    workers : int
        Processes at a time.
    imports : sequence of str
        Modules that servers import ahead of the jobs.

    Raises
    ------
    ValueError
        If the function or an argument cannot be sent to another process.
    WorkerDied
        If a process died, for example because memory ran out.
    """
    from concurrent.futures import ThreadPoolExecutor

    with _servers(workers, imports) as run_packed, ThreadPoolExecutor(workers) as threads:
        yield from threads.map(lambda job: _unpack(run_packed(_pack(function, job()))), jobs)


def _pack(function: Callable[[Any], Any], argument: Any) -> bytes:
    try:
        return _dumps((function, argument))
    except Exception as error:  # classes raise what they like when they are pickled
        raise ValueError(
            f"this cannot be sent to another process ({type(error).__name__}: {error}); remove locks, open files and "
            "the like from the attributes"
        ) from error


def _dumps(value: Any) -> bytes:
    from joblib.externals.loky.backend.reduction import dumps  # cloudpickle's, wherever joblib's release has it

    return bytes(dumps(value))


def _unpack(packed: bytes) -> Any:
    result, error, trace = pickle.loads(packed)
    if error is not None:
        raise error from RuntimeError(trace)
    return result


@contextmanager
def _servers(workers: int, imports: Sequence[str]) -> Iterator[Callable[[bytes], bytes]]:
    """A function that runs a packed job in a fresh process; several threads may call it."""
    from joblib.externals.loky import ProcessPoolExecutor

    start = partial(ProcessPoolExecutor, initializer=_prepare, initargs=(os.getpid(), imports), env=ONE_THREAD)
    if not FORKS:

        def run_in_new_process(packed: bytes) -> bytes:
            with start(1) as process:
                return process.submit(_answer, packed).result()

        yield run_in_new_process
        return
    with start(workers) as servers:
        yield lambda packed: servers.submit(_answer_in_fork, packed).result()


def _prepare(parent: int, imports: Sequence[str]) -> None:
    """Set up a server."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is handled by the parent
    for name in imports:
        with suppress(Exception):  # the jobs that need it will fail
            import_module(name)
    threading.Thread(target=end_with_parent, args=(parent,), daemon=True).start()


def _answer_in_fork(packed: bytes) -> bytes:
    receiver, sender = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(target=_send_answer, args=(packed, sender, os.getpid()))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the only other thread sleeps, and holds no lock
        process.start()
    sender.close()
    try:
        return receiver.recv_bytes()
    except EOFError:
        raise WorkerDied("the process of a job died, for example because memory ran out; use fewer workers") from None
    finally:
        process.join()


def _send_answer(packed: bytes, sender: Connection, parent: int) -> None:
    threading.Thread(target=end_with_parent, args=(parent,), daemon=True).start()
    sender.send_bytes(_answer(packed))


def _answer(packed: bytes) -> bytes:
    """Run a packed job, and pack its result, or its error with the traceback."""
    try:
        function, argument = pickle.loads(packed)
        return _dumps((function(argument), None, ""))
    except Exception as error:
        trace = traceback.format_exc()
        try:
            pickle.loads(answer := _dumps((None, error, trace)))
            return answer
        except Exception:  # some errors cannot be unpickled
            return pickle.dumps((None, RuntimeError(f"{type(error).__name__}: {error}"), trace))
