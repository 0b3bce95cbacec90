"""Jobs on the workers of a Dask cluster: other machines that see the same folders at the same paths.

Dask starts, watches and restarts the workers, and gives a job of a worker that died to another one. What is here hands
the jobs over a few at a time, and looks after what may go wrong between machines.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import os
import platform
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from mer._version import __version__

if TYPE_CHECKING:
    from distributed import Client

CONNECT = 30.0  # seconds for the scheduler to answer
NO_WORKERS = 300.0  # seconds without any worker until the run ends; Dask starts those that died anew
LOOK = 2.0  # seconds between two looks at which workers there are
AHEAD = 4  # jobs that a worker is given ahead of their turn: fewer let it wait, more keep the others from helping
# Other releases of these give other bits, or can't read what they are sent.
ALIKE = ("numpy", "opencv-contrib-python", "torch", "mediapipe", "scikit-learn")


class ClusterError(OSError):
    """The cluster can't do the work: no scheduler, no workers, or workers of another kind; the message says which."""


def run_on_cluster(
    function: Callable[[Any], Any],
    jobs: Sequence[Any],
    address: str,
    died: Callable[[Any], Any],
    shared: Sequence[str | Path] = (),
) -> Iterator[tuple[int, Any]]:
    """Yield `(number of the job, function(job))` as jobs are done, in any order.

    Parameters
    ----------
    function : function
        Of one job; sent to each worker once, with all that it refers to. What it raises stops the run.
    jobs : sequence
    address : str
        Of the scheduler, as `tcp://10.0.0.5:8786`, or the `.json` file that it was told to write.
    died : function
        The result of a job whose worker died each time, also when it was the only job.
    shared : sequence of paths
        What the workers have to see just as this process does. They work in its directory then, so that relative paths
        mean the same.

    Raises
    ------
    ClusterError
        Where there is no such cluster or its workers can't do the work.
    """
    paths = [(str(path), _content(path)) for path in shared]
    terms = (_releases(), os.getcwd() if paths else None, paths)
    with _connect(address) as client:
        there = client.submit(_same, (function, terms), pure=False)
        suspects: list[int] = []
        yield from _share_out(client, there, dict(enumerate(jobs)), suspects, len(jobs))
        for i in suspects:  # one of several that a worker had when it died; alone, the guilty one is known
            alone: list[int] = []
            yield from _share_out(client, there, {i: jobs[i]}, alone, 1)
            if alone:
                yield i, died(jobs[i])


def _share_out(
    client: Client, there: Any, jobs: dict[int, Any], suspects: list[int], ahead: int
) -> Iterator[tuple[int, Any]]:
    """The results of jobs; `suspects` gets the numbers of those whose workers died."""
    from distributed import KilledWorker, wait

    left = iter(jobs.items())
    running: dict[Any, int] = {}
    workers, seen, looked = 0, 0.0, 0.0
    while True:
        if time.monotonic() - looked > LOOK:
            looked, workers = time.monotonic(), _count_workers(client)
            seen = looked if workers or not seen else seen
            if looked - seen > NO_WORKERS:
                raise ClusterError("the cluster has no workers; start some, and run the same command again to resume")
        while len(running) < min(ahead, AHEAD * max(workers, 1)) and (job := next(left, None)) is not None:
            running[client.submit(_there, there, job[1], pure=False)] = job[0]
        if not running:
            return
        try:
            done = wait(list(running), timeout=LOOK, return_when="FIRST_COMPLETED").done
        except (TimeoutError, asyncio.TimeoutError):  # two until Python 3.11
            continue
        for future in done:
            i = running.pop(future)
            try:
                yield i, future.result()
            except KilledWorker:
                suspects.append(i)


def _count_workers(client: Client) -> int:
    """How many workers there are, of one thread each: what runs in a job isn't made for several in one process."""
    threads = client.nthreads()
    many = next((worker for worker, number in threads.items() if number > 1), None)
    if many:
        raise ClusterError(
            f"the worker at {many} has {threads[many]} threads; start workers with --nthreads 1, and more of them"
        )
    return len(threads)


@contextmanager
def _connect(address: str) -> Iterator[Client]:
    """A client of the scheduler; what goes wrong between the two becomes a `ClusterError`."""
    try:
        from distributed import CancelledError, Client
        from distributed.comm import CommClosedError
    except ImportError as error:
        raise ImportError("--cluster needs Dask; run `python -m pip install mer[cluster]`") from error
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # it tells of each lost connection, several times
    try:
        scheduler = _scheduler(address)
        client = Client(scheduler, timeout=CONNECT)
    except FileNotFoundError as error:
        raise ClusterError(f"{address} is not there; start `dask scheduler --scheduler-file {address}`") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ClusterError(
            f"no Dask scheduler answers at {address}; expected an address as tcp://10.0.0.5:8786 or a scheduler file"
        ) from error
    try:
        yield client
    except (CancelledError, CommClosedError) as error:
        raise ClusterError(
            f"the scheduler at {address} has gone away; start it again, and run the same command to go on"
        ) from error
    finally:
        client.close(timeout=CONNECT)


def _scheduler(address: str) -> str:
    """The address, out of the scheduler's file if that is what it names, once something has answered there.

    A `Client` that finds nobody would do for that, if Dask did not lock up now and then when it is thrown away.
    """
    if address.endswith(".json"):
        address = json.loads(Path(address).read_text(encoding="utf-8"))["address"]
    parts = urlsplit(address if "://" in address else f"tcp://{address}")
    socket.create_connection((parts.hostname or "", parts.port or 8786), CONNECT).close()
    return address


# --- on the worker ---


def _same(what: Any) -> Any:
    """Sent as a job of its own: Dask keeps the result, brings it to who needs it, and makes it anew if it is lost."""
    return what


def _there(sent: tuple[Callable[[Any], Any], tuple], job: Any) -> Any:
    """One job, on one thread, where the machine is fit for it."""
    import cv2
    from threadpoolctl import threadpool_limits

    function, terms = sent
    _check(*terms)
    cv2.setNumThreads(1)
    with threadpool_limits(1):
        return function(job)


def _check(releases: dict[str, str], folder: str | None, paths: list[tuple[str, str]]) -> None:
    here = f"the worker on {socket.gethostname()}"
    for name, release in _releases().items():
        if release != releases[name]:
            raise ClusterError(f"{here} has {name} {release}, this machine {releases[name]}; install the same on both")
    try:
        if folder is not None:
            os.chdir(folder)
        for path, content in paths:
            if _content(path) != content:
                raise ClusterError(
                    f"{here} sees another {path} than this machine; put it into a folder that both share"
                )
    except ClusterError:
        raise
    except OSError as error:
        raise ClusterError(
            f"{here} does not see {error.filename}; put it into a folder that all machines share, at the same path"
        ) from error


def _content(path: str | Path) -> str:
    """What tells a file from another of the same name: the digest of its first megabyte; blank for a folder."""
    size = os.stat(path).st_size
    if os.path.isdir(path):
        return ""
    try:
        with open(path, "rb") as file:
            return hashlib.sha256(file.read(2**20)).hexdigest()
    except PermissionError:  # a clip that can't be read is that clip's fault, here as there
        return f"{size} bytes"


@cache
def _releases() -> dict[str, str]:
    found = {"mer": __version__, "Python": ".".join(platform.python_version_tuple()[:2])}
    for name in ALIKE:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found
