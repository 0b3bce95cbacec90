"""Jobs in processes, any of which may be killed: with several processes, its jobs are retried one at a time.

joblib runs the processes. The retries are kept by hand, since a pool of joblib stops when one of its processes dies.
"""

from __future__ import annotations

import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path
from typing import Any

DIED = "its process died, perhaps because memory ran out"
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
LIMITS_MEMORY = sys.platform == "linux"  # elsewhere, the limit of a process has no effect


class WorkerDied(OSError):
    """A job whose process died without other jobs beside it."""


def run_jobs(
    function: Callable[[Any], Any],
    jobs: Sequence[Any],
    workers: int = 1,
    died: Callable[[Any], Any] | None = None,
    cluster: str | None = None,
    shared: Sequence[str | Path] = (),
    isolate: bool = False,
    memory_limit: int | None = None,
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
        Number of processes, of one thread each; with 1, the jobs run in this process, unless `isolate` is true.
    died : function, optional
        `died(job)` is the result of a job whose process died while no other job was running. Without it,
        :class:`WorkerDied` is raised.
    cluster : str, optional
        Address of a Dask scheduler, whose workers run the jobs instead; see :mod:`mer.utils.dask_cluster`.
    shared : sequence of paths
        Files and folders that the workers of a cluster must see exactly as this process does.
    isolate : bool
        Never run a job in this process: with one worker, another process runs all jobs.
    memory_limit : int, optional
        Bytes of data that each process may allocate; implies `isolate`. It has no effect except on Linux.
    """
    if cluster is not None:
        if workers > 1:
            raise ValueError("--workers is for one machine; with --cluster, the cluster's own workers run the jobs")
        if memory_limit is not None:
            raise ValueError("--memory-limit is for one machine; with --cluster, limit the cluster's own workers")
        from mer.utils.dask_cluster import run_on_cluster

        yield from run_on_cluster(function, jobs, cluster, died or _raise, shared)
        return
    isolate = isolate or memory_limit is not None
    run_one = partial(_one, os.getpid(), memory_limit, function)
    if isolate and (workers == 1 or len(jobs) < 2):
        yield from _one_process(run_one, dict(enumerate(jobs)), died or _raise)
        return
    if workers == 1 or len(jobs) < 2:
        yield from ((i, function(job)) for i, job in enumerate(jobs))
        return
    remaining = dict(enumerate(jobs))
    while remaining:
        sent: list[int] = []
        try:
            for i, result in _pool(run_one, remaining, workers, sent):
                del remaining[i]
                yield i, result
        except BrokenProcessPool:
            suspects = {i: remaining.pop(i) for i in sent if i in remaining}
            yield from _one_process(run_one, suspects, died or _raise)


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


def _one_process(
    run_one: Callable[[int, Any], tuple[int, Any]], jobs: dict[int, Any], died: Callable[[Any], Any]
) -> Iterator[tuple[int, Any]]:
    """Yield the results of one process that runs the jobs in order; if a job kills it, another one continues."""
    from joblib.externals.loky import ProcessPoolExecutor

    pool = None
    try:
        for i, job in jobs.items():
            pool = pool or ProcessPoolExecutor(1, env=ONE_THREAD)
            try:
                result = pool.submit(run_one, i, job).result()
            except BrokenProcessPool:
                pool.shutdown()
                pool = None
                result = i, died(job)
            yield result
    finally:
        if pool:
            pool.shutdown(kill_workers=True)


def _pool(
    run_one: Callable[[int, Any], tuple[int, Any]], jobs: dict[int, Any], workers: int, sent: list[int]
) -> Iterator[tuple[int, Any]]:
    """Yield the results of a pool of processes; `sent` collects the indices of the jobs that have been submitted."""
    from joblib import Parallel, delayed, parallel_config

    def submit() -> Iterator[Any]:
        for i, job in list(jobs.items()):
            sent.append(i)
            yield delayed(run_one)(i, job)

    # loky starts new processes; mediapipe and torch do not survive a fork.
    with parallel_config(backend="loky", n_jobs=workers, inner_max_num_threads=1):
        yield from Parallel(return_as="generator_unordered", batch_size=1)(submit())


def _one(parent: int, memory_limit: int | None, function: Callable[[Any], Any], i: int, job: Any) -> tuple[int, Any]:
    import cv2

    if LIMITS_MEMORY:
        import resource

        hard = resource.getrlimit(resource.RLIMIT_DATA)[1]  # an earlier run may have set the soft limit
        resource.setrlimit(resource.RLIMIT_DATA, (hard if memory_limit is None else memory_limit, hard))

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


def parse_bytes(text: str) -> int:
    """A number of bytes, as `4GB`, `500 MB` or `1.5G`; `ValueError` for other text."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)i?b?\s*", text, re.IGNORECASE)
    if not match or not float(match[1]):
        raise ValueError(f"{text!r} is not an amount of memory; expected one as 4GB or 500MB")
    return int(float(match[1]) * 1024 ** " kmgt".index(match[2].lower() or " "))
