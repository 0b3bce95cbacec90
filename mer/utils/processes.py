"""Jobs in several processes, any of which may be killed: its jobs are retried one at a time.

joblib runs the processes. The retries are kept by hand, since a pool of joblib stops when one of its processes dies.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

DIED = "its process died, perhaps because memory ran out"


class WorkerDied(OSError):
    """A job whose process died twice, the second time without other jobs beside it."""


def run_jobs(
    function: Callable[[Any], Any],
    jobs: Sequence[Any],
    workers: int = 1,
    died: Callable[[Any], Any] | None = None,
    cluster: str | None = None,
    shared: Sequence[str | Path] = (),
) -> Iterator[tuple[int, Any]]:
    """Yield `(index of the job, function(job))` as jobs finish, in any order.

    If a process dies, for example because memory runs out, it is unknown which job caused it. The jobs in progress are
    then retried one at a time, each in its own process, before the others continue.

    Parameters
    ----------
    function : function
        Called with one job. An exception stops the run.
    jobs : sequence
    workers : int
        Number of processes, of one thread each; with 1, the jobs run in this process.
    died : function, optional
        `died(job)` is the result of a job whose process died again in the retry. Without it, :class:`WorkerDied` is
        raised.
    cluster : str, optional
        Address of a Dask scheduler, whose workers run the jobs instead; see :mod:`mer.utils.dask_cluster`.
    shared : sequence of paths
        Files and folders that the workers of a cluster must see exactly as this process does.
    """
    if cluster is not None:
        if workers > 1:
            raise ValueError("--workers is for one machine; with --cluster, the cluster's own workers run the jobs")
        from mer.utils.dask_cluster import run_on_cluster

        yield from run_on_cluster(function, jobs, cluster, died or _raise, shared)
        return
    if workers == 1 or len(jobs) < 2:
        yield from ((i, function(job)) for i, job in enumerate(jobs))
        return
    remaining = dict(enumerate(jobs))
    while remaining:
        sent: list[int] = []
        try:
            for i, result in _pool(function, remaining, workers, sent):
                del remaining[i]
                yield i, result
        except BrokenProcessPool:
            for i in [index for index in sent if index in remaining]:
                job = remaining.pop(i)
                try:
                    yield from _pool(function, {i: job}, 2, [])
                except BrokenProcessPool:
                    yield i, (died or _raise)(job)


def in_order(results: Iterator[tuple[int, Any]]) -> Iterator[Any]:
    """Yield the results of :func:`run_jobs` in the order of the jobs."""
    waiting: dict[int, Any] = {}
    next_index = 0
    for i, result in results:
        waiting[i] = result
        while next_index in waiting:
            yield waiting.pop(next_index)
            next_index += 1


def _raise(job: Any) -> Any:
    raise WorkerDied(f"a job cannot be finished: {DIED}; use fewer workers")


def _pool(
    function: Callable[[Any], Any], jobs: dict[int, Any], workers: int, sent: list[int]
) -> Iterator[tuple[int, Any]]:
    """Yield the results of a pool of processes; `sent` collects the indices of the jobs that have been submitted."""
    from joblib import Parallel, delayed, parallel_config

    def submit() -> Iterator[Any]:
        for i, job in list(jobs.items()):
            sent.append(i)
            yield delayed(_one)(os.getpid(), function, i, job)

    # loky starts new processes; mediapipe and torch do not survive a fork.
    with parallel_config(backend="loky", n_jobs=workers, inner_max_num_threads=1):
        yield from Parallel(return_as="generator_unordered", batch_size=1)(submit())


def _one(parent: int, function: Callable[[Any], Any], i: int, job: Any) -> tuple[int, Any]:
    import cv2

    cv2.setNumThreads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is handled by the parent
    if not any(thread.name == end_with_parent.__name__ for thread in threading.enumerate()):
        threading.Thread(target=end_with_parent, args=(parent,), name=end_with_parent.__name__, daemon=True).start()
    return i, function(job)


def end_with_parent(parent: int) -> None:
    """End this process soon after its parent has been killed, so that it does not write alongside the next run."""
    while os.getppid() == parent:
        time.sleep(0.2)
    os._exit(1)
