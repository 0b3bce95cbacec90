"""Jobs in several processes, of which any may die: what it was working on is tried again, alone."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

DIED = "its process died, as where memory runs out"


class WorkerDied(OSError):
    """A job whose process died, also when it was alone."""


def run_jobs(
    function: Callable[[Any], Any],
    jobs: Sequence[Any],
    workers: int = 1,
    died: Callable[[Any], Any] | None = None,
    cluster: str | None = None,
    shared: Sequence[str | Path] = (),
) -> Iterator[tuple[int, Any]]:
    """Yield `(number of the job, function(job))` as jobs are done, in any order.

    A process may be killed by the system when memory runs out. Which job it was isn't known then: those that were
    under way are run again one at a time, each in a process of its own, and the others go on as before.

    Parameters
    ----------
    function : function
        Of one job. What it raises stops the run.
    jobs : sequence
    workers : int
        Processes, of one thread each; with 1, everything happens in this one.
    died : function, optional
        The result of a job whose process died although it was alone; :class:`WorkerDied` is raised without it.
    cluster : str, optional
        Address of a Dask scheduler, whose workers do the jobs in the place of processes here; see :mod:`mer.utils.dask_cluster`.
    shared : sequence of paths
        What the workers of a cluster have to see just as this process does.
    """
    if cluster is not None:
        if workers > 1:
            raise ValueError("--workers is for one machine; with --cluster, the cluster's own workers do the work")
        from mer.utils.dask_cluster import run_on_cluster

        yield from run_on_cluster(function, jobs, cluster, died or _raise, shared)
        return
    if workers == 1 or len(jobs) < 2:
        yield from ((i, function(job)) for i, job in enumerate(jobs))
        return
    left = dict(enumerate(jobs))
    while left:
        sent: list[int] = []
        try:
            for i, result in _pool(function, left, workers, sent):
                del left[i]
                yield i, result
        except BrokenProcessPool:
            for i in [number for number in sent if number in left]:
                job = left.pop(i)
                try:
                    yield from _pool(function, {i: job}, 2, [])
                except BrokenProcessPool:
                    yield i, (died or _raise)(job)


def run_apart(function: Callable[[Any], Any], jobs: Sequence[Callable[[], Any]], workers: int = 1) -> Iterator[Any]:
    """Yield `function(job())` of each job in order, each in a process that is new and ends with it.

    Nothing that a job leaves in memory can reach another one. A process takes a second or two to start. What a job
    needs is made when its turn comes.

    Raises
    ------
    ValueError
        Where the function cannot be sent to another process.
    """
    from concurrent.futures import ThreadPoolExecutor

    from joblib.externals.loky import ProcessPoolExecutor  # joblib's, since it also sends what a script defines

    def apart(job: Callable[[], Any]) -> Any:
        with ProcessPoolExecutor(max_workers=1) as process:
            try:
                return process.submit(_one, os.getpid(), function, 0, job()).result()[1]
            except Exception as error:
                unsent = type(error).__name__ == "PicklingError" or "un-serialize" in str(error)
                if unsent:
                    raise ValueError(
                        f"what is to be run cannot be sent to another process ({error}); define it in a script or in a "
                        "module that can be imported, or try workers=1"
                    ) from error
                if isinstance(error, BrokenProcessPool):
                    return _raise(job)
                raise

    with ThreadPoolExecutor(max_workers=workers) as threads:
        yield from threads.map(apart, jobs)


def in_order(results: Iterator[tuple[int, Any]]) -> Iterator[Any]:
    """The results of :func:`run_jobs` in the order of their jobs."""
    waiting: dict[int, Any] = {}
    following = 0
    for i, result in results:
        waiting[i] = result
        while following in waiting:
            yield waiting.pop(following)
            following += 1


def _raise(job: Any) -> Any:
    raise WorkerDied(f"a part of the work cannot be done: {DIED}; use fewer workers")


def _pool(
    function: Callable[[Any], Any], jobs: dict[int, Any], workers: int, sent: list[int]
) -> Iterator[tuple[int, Any]]:
    """The results of a pool; `sent` gets the numbers of the jobs as they are handed over."""
    from joblib import Parallel, delayed, parallel_config

    def handed_over() -> Iterator[Any]:
        for i, job in list(jobs.items()):
            sent.append(i)
            yield delayed(_one)(os.getpid(), function, i, job)

    # loky starts fresh processes: mediapipe and torch don't survive a fork.
    with parallel_config(backend="loky", n_jobs=workers, inner_max_num_threads=1):
        yield from Parallel(return_as="generator_unordered", batch_size=1)(handed_over())


def _one(parent: int, function: Callable[[Any], Any], i: int, job: Any) -> tuple[int, Any]:
    import cv2

    cv2.setNumThreads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the program that is the parent
    if not any(thread.name == _end_with.__name__ for thread in threading.enumerate()):
        threading.Thread(target=_end_with, args=(parent,), name=_end_with.__name__, daemon=True).start()
    return i, function(job)


def _end_with(parent: int) -> None:
    """End this process soon after its parent has been killed, so that it doesn't write beside the next run."""
    while os.getppid() == parent:
        time.sleep(0.2)
    os._exit(1)
