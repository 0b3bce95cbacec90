"""Jobs on the workers of a Dask cluster: other machines that see the same folders at the same paths.

Dask starts, watches and restarts the workers, and reassigns the jobs of a worker that died. This module adds what Dask
leaves to its users: it submits a few jobs at a time, singles out a job that kills its workers, and checks that all
machines have the same software and see the same files.
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
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from mer._version import __version__

if TYPE_CHECKING:
    from distributed import Client

CONNECT_TIMEOUT = 30.0  # seconds for the scheduler to answer
NO_WORKERS_TIMEOUT = 300.0  # seconds without any worker before the run ends; Dask restarts workers that died
POLL_INTERVAL = 2.0  # seconds between two counts of the workers
JOBS_PER_WORKER = 4  # submitted ahead: with fewer, workers wait; with more, idle workers find nothing to take over
# Other releases of these packages give other bits, or cannot unpickle the jobs.
SAME_RELEASE = ("numpy", "opencv-contrib-python", "torch", "mediapipe", "scikit-learn")


class ClusterError(OSError):
    """The cluster cannot do the work; the message says why: no scheduler, no workers, or unsuitable workers."""


def run_on_cluster(
    function: Callable[[Any], Any],
    jobs: Sequence[Any],
    address: str,
    died: Callable[[Any], Any],
    shared: Sequence[str | Path] = (),
) -> Iterator[tuple[int, Any]]:
    """Yield `(index of the job, function(job))` as jobs finish, in any order.

    Parameters
    ----------
    function : function
        Called with one job. It is sent to each worker once, with everything that it refers to. An exception stops the
        run.
    jobs : sequence
    address : str
        The scheduler's address, such as `tcp://10.0.0.5:8786`, or the `.json` file that the scheduler writes.
    died : function
        `died(job)` is the result of a job whose worker died every time, even without other jobs beside it.
    shared : sequence of paths
        Files and folders that the workers must see exactly as this process does. The workers then use its working
        directory, so that relative paths mean the same.

    Raises
    ------
    ClusterError
        If there is no such cluster, or its workers cannot do the work.
    """
    paths = [(str(path), _content(path)) for path in shared]
    requirements = (_releases(), os.getcwd() if paths else None, paths)
    with _connect(address) as client:
        sent = client.submit(_identity, (function, requirements), pure=False)
        suspects: list[int] = []
        yield from _submit_all(client, sent, dict(enumerate(jobs)), suspects, len(jobs))
        for i in suspects:  # several jobs were on the worker that died; run alone, the guilty one shows
            guilty: list[int] = []
            yield from _submit_all(client, sent, {i: jobs[i]}, guilty, 1)
            if guilty:
                yield i, died(jobs[i])


def _submit_all(
    client: Client, sent: Any, jobs: dict[int, Any], suspects: list[int], most: int
) -> Iterator[tuple[int, Any]]:
    """Yield the results of jobs, `most` submitted at a time; `suspects` collects those whose workers died."""
    from distributed import KilledWorker, wait

    remaining = iter(jobs.items())
    running: dict[Any, int] = {}
    workers, last_seen, last_count = 0, 0.0, 0.0
    while True:
        if time.monotonic() - last_count > POLL_INTERVAL:
            last_count, workers = time.monotonic(), _count_workers(client)
            last_seen = last_count if workers or not last_seen else last_seen
            if last_count - last_seen > NO_WORKERS_TIMEOUT:
                raise ClusterError("the cluster has no workers; start some, and run the same command again to resume")
        while (
            len(running) < min(most, JOBS_PER_WORKER * max(workers, 1)) and (job := next(remaining, None)) is not None
        ):
            running[client.submit(_run_job, sent, job[1], pure=False)] = job[0]
        if not running:
            return
        try:
            done = wait(list(running), timeout=POLL_INTERVAL, return_when="FIRST_COMPLETED").done
        except (TimeoutError, asyncio.TimeoutError):  # two classes until Python 3.11
            continue
        for future in done:
            i = running.pop(future)
            try:
                yield i, future.result()
            except KilledWorker:
                suspects.append(i)


def _count_workers(client: Client) -> int:
    """The number of workers; each must have one thread, since jobs are not made to share a process."""
    threads = client.nthreads()
    many = next((worker for worker, number in threads.items() if number > 1), None)
    if many:
        raise ClusterError(
            f"the worker at {many} has {threads[many]} threads; start workers with --nthreads 1, and more of them"
        )
    return len(threads)


@contextmanager
def _connect(address: str) -> Iterator[Client]:
    """A client of the scheduler; connection errors become a `ClusterError`."""
    try:
        from distributed import CancelledError, Client
        from distributed.comm import CommClosedError
    except ImportError as error:
        raise ImportError("--cluster needs Dask; run `python -m pip install mer[cluster]`") from error
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # it logs each lost connection several times
    try:
        client = Client(_scheduler(address), timeout=CONNECT_TIMEOUT)
    except FileNotFoundError as error:
        raise ClusterError(f"{address} does not exist; start `dask scheduler --scheduler-file {address}`") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ClusterError(
            f"no Dask scheduler answers at {address}; expected an address like tcp://10.0.0.5:8786 or a scheduler file"
        ) from error
    try:
        yield client
    except (CancelledError, CommClosedError) as error:
        raise ClusterError(
            f"lost the scheduler at {address}; start it again, and run the same command again to resume"
        ) from error
    finally:
        client.close(timeout=CONNECT_TIMEOUT)


def _scheduler(address: str) -> str:
    """The scheduler's address, read from its file if `address` names one, after checking that something answers.

    A `Client` that finds no scheduler would raise as well, but now and then Dask deadlocks while discarding it. Warns
    of a connection without TLS to another machine.
    """
    if address.endswith(".json"):
        address = json.loads(Path(address).read_text(encoding="utf-8"))["address"]
    parts = urlsplit(address if "://" in address else f"tcp://{address}")
    with socket.create_connection((parts.hostname or "", parts.port or 8786), CONNECT_TIMEOUT) as connection:
        is_local = ip_address(connection.getpeername()[0]).is_loopback
    if not is_local and parts.scheme not in ("tls", "wss"):
        warnings.warn(
            f"{address} has no password or encryption: anybody who reaches it can run programs as you; keep it in a "
            "private network, or start Dask with TLS (docs/cluster.md)",
            stacklevel=2,
        )
    return address


# --- on the worker ---


def _identity(value: Any) -> Any:
    """Submitted as a job: Dask keeps its result, copies it to the workers that need it, and recomputes it if lost."""
    return value


def _run_job(sent: tuple[Callable[[Any], Any], tuple], job: Any) -> Any:
    """Run one job on one thread, after checking the machine."""
    import cv2
    from threadpoolctl import threadpool_limits

    function, requirements = sent
    _check_machine(*requirements)
    cv2.setNumThreads(1)
    with threadpool_limits(1):
        return function(job)


def _check_machine(releases: dict[str, str], folder: str | None, paths: list[tuple[str, str]]) -> None:
    worker = f"the worker on {socket.gethostname()}"
    for name, release in _releases().items():
        if release != releases[name]:
            raise ClusterError(
                f"{worker} has {name} {release}, this machine {releases[name]}; install the same on both"
            )
    try:
        if folder is not None:
            os.chdir(folder)
        for path, content in paths:
            if _content(path) != content:
                raise ClusterError(f"{worker} sees another {path} than this machine; move it to a shared folder")
    except ClusterError:
        raise
    except OSError as error:
        raise ClusterError(
            f"{worker} does not see {error.filename}; move it to a folder that all machines share, at the same path"
        ) from error


def _content(path: str | Path) -> str:
    """What distinguishes files of the same name: the SHA-256 of the first megabyte; an empty text for a folder."""
    size = os.stat(path).st_size
    if os.path.isdir(path):
        return ""
    try:
        with open(path, "rb") as file:
            return hashlib.sha256(file.read(2**20)).hexdigest()
    except PermissionError:  # an unreadable clip is reported by its job, on every machine alike
        return f"{size} bytes"


@cache
def _releases() -> dict[str, str]:
    releases = {"mer": __version__, "Python": ".".join(platform.python_version_tuple()[:2])}
    for name in SAME_RELEASE:
        try:
            releases[name] = version(name)
        except PackageNotFoundError:
            releases[name] = "not installed"
    return releases
