"""Jobs on a real Dask scheduler with two workers give the results of one process, even if workers die."""

import json
import os
import signal
import subprocess
import sys
import time
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mer.evaluation.evaluate_folder import evaluate
from mer.extraction.extract import extract_flow
from mer.models import MODELS
from mer.utils import dask_cluster
from mer.utils.dask_cluster import ClusterError, run_on_cluster
from mer.utils.processes import WorkerDied, run_jobs
from tests.extraction.test_extract import contents

distributed = pytest.importorskip("distributed")
# Separate interpreters that know only the scheduler's address, as on another machine.
DASK = [sys.executable, "-m", "dask"]
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def address():
    """A scheduler and two workers inside this process."""
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": False, "dashboard_address": None}
    with distributed.LocalCluster(**options, protocol="tcp", silence_logs=50) as local:
        yield local.scheduler_address


@pytest.fixture(scope="module")
def machines(tmp_path_factory):
    """The scheduler file of a scheduler and two workers that run as separate programs."""
    folder = tmp_path_factory.mktemp("dask")
    file = folder / "scheduler.json"
    # Give up a job after two workers have died instead of four, since each takes seconds to restart.
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1"}
    scheduler = [*DASK, "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", file]
    worker = [*DASK, "worker", "--scheduler-file", file, "--nthreads", "1", "--no-dashboard"]
    with open(folder / "log", "w") as log:
        start = partial(subprocess.Popen, cwd=folder, env=environment, stdout=log, stderr=log)
        programs = [start([str(word) for word in words]) for words in (scheduler, worker, worker)]
    while not file.exists():
        assert programs[0].poll() is None, (folder / "log").read_text()
        time.sleep(0.1)
    yield str(file)
    for program in reversed(programs):  # a worker that lost its scheduler may wait forever
        program.terminate()
        try:
            program.wait(20)
        except subprocess.TimeoutExpired:
            program.kill()
            program.wait()


def results(function, jobs, address, **options):
    return [result for _, result in sorted(run_jobs(function, jobs, cluster=address, **options), key=lambda r: r[0])]


def kill_once(folder, job):
    """Kills the first worker that gets job 3, as the system does when memory runs out."""
    mark = folder / "killed"
    if job == 3 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return job * 2


def killer(job):
    if job == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return job * 2


def dies_once(folder, onset, apex):
    """A flow method that kills the first worker that uses it."""
    if folder is not None and not (folder / "killed").exists():
        (folder / "killed").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return np.stack([apex[..., 0], onset[..., 0]], -1).astype(np.float32) / 255


# --- the scheduler and its workers ---


def test_every_job_has_one_result(address):
    table = np.arange(100.0) ** 2
    assert results(lambda job: table[job], range(50), address) == [float(n * n) for n in range(50)]
    assert results(lambda job: job, [], address) == []


class Connection:
    """A connection to a scheduler at another address than it was asked for."""

    def __init__(self, peer: str):
        self.peer = peer

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def getpeername(self):
        return (self.peer, 8786)


@pytest.mark.parametrize(
    ("address", "peer", "warns"),
    [
        ("tcp://10.0.0.5:8786", "10.0.0.5", True),
        ("10.0.0.5:8786", "10.0.0.5", True),
        ("tcp://node7", "fd00::7", True),
        ("ws://10.0.0.5:8786", "10.0.0.5", True),
        ("tls://10.0.0.5:8786", "10.0.0.5", False),
        ("tcp://127.0.0.1:8786", "127.0.0.1", False),
        ("tcp://localhost:8786", "::1", False),
    ],
)
@pytest.mark.parametrize("in_file", [False, True])
def test_a_scheduler_on_another_machine_without_tls_is_warned_of(monkeypatch, tmp_path, address, peer, warns, in_file):
    monkeypatch.setattr(dask_cluster.socket, "create_connection", lambda *_: Connection(peer))
    file = tmp_path / "scheduler.json"
    file.write_text(json.dumps({"address": address}))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert dask_cluster._scheduler(str(file) if in_file else address) == address
    messages = [str(warning.message) for warning in caught]
    assert len(messages) == warns
    assert all(address in message and "TLS" in message and "\n" not in message for message in messages)


def test_an_exception_in_a_job_stops_the_run(address):
    with pytest.raises(ZeroDivisionError):
        results(lambda job: 1 // job, [1, 0, 2], address)


def test_a_missing_scheduler_is_one_line(monkeypatch, tmp_path):
    monkeypatch.setattr(dask_cluster, "CONNECT_TIMEOUT", 0.3)
    for wrong in ("tcp://127.0.0.1:9", "nowhere", "tcp://", "a://b:1"):
        with pytest.raises(ClusterError, match=f"no Dask scheduler answers at {wrong}"):
            list(run_on_cluster(abs, [1], wrong, abs))
    with pytest.raises(ClusterError, match=r"s\.json does not exist; start `dask scheduler"):
        list(run_on_cluster(abs, [1], str(tmp_path / "s.json"), abs))


def test_without_dask_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ImportError, match=r"pip install mer\[cluster\]"):
        list(run_on_cluster(abs, [1], "tcp://127.0.0.1:9", abs))


def test_workers_and_cluster_exclude_each_other():
    with pytest.raises(ValueError, match="with --cluster, the cluster's own workers"):
        list(run_jobs(abs, [1], workers=2, cluster="tcp://127.0.0.1:9"))


def test_workers_with_several_threads_are_refused():
    options = {"n_workers": 1, "threads_per_worker": 3, "processes": False, "dashboard_address": None}
    with (
        distributed.LocalCluster(**options, protocol="tcp", silence_logs=50) as local,
        pytest.raises(ClusterError, match="has 3 threads; start workers with --nthreads 1"),
    ):
        results(abs, [1, 2], local.scheduler_address)


def test_a_cluster_without_workers_times_out(monkeypatch):
    monkeypatch.setattr(dask_cluster, "NO_WORKERS_TIMEOUT", 0.2)
    monkeypatch.setattr(dask_cluster, "POLL_INTERVAL", 0.1)
    options = {"n_workers": 0, "processes": False, "dashboard_address": None}
    with (
        distributed.LocalCluster(**options, protocol="tcp", silence_logs=50) as local,
        pytest.raises(ClusterError, match="the cluster has no workers; start some"),
    ):
        results(abs, [1, 2], local.scheduler_address)


# --- what a worker must see ---


def test_a_worker_that_sees_other_files_names_them(tmp_path, address):
    seen = tmp_path / "run.json"
    seen.write_text("{}")
    assert results(abs, [-1], address, shared=[tmp_path, seen]) == [1]
    content = dask_cluster._content(seen)
    seen.write_text("{ }")
    with pytest.raises(ClusterError, match=r"the worker on \S+ sees another .*run.json than this machine"):
        dask_cluster._check_machine(dask_cluster._releases(), None, [(str(seen), content)])
    seen.unlink()
    with pytest.raises(ClusterError, match=r"does not see .*run.json; move it to a folder that all machines share"):
        dask_cluster._check_machine(dask_cluster._releases(), None, [(str(seen), content)])
    with pytest.raises(ClusterError, match="does not see /nowhere"):
        dask_cluster._check_machine(dask_cluster._releases(), "/nowhere", [])


def test_a_worker_with_other_releases_is_refused():
    with pytest.raises(ClusterError, match=r"has numpy \S+, this machine 1.0; install the same on both"):
        dask_cluster._check_machine({**dask_cluster._releases(), "numpy": "1.0"}, None, [])


# --- extraction, rendering and evaluation ---


@pytest.mark.slow
def test_flows_and_scores_equal_those_of_one_process_bit_for_bit(sample_videos, machines, tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    extract_flow(sample_videos, one)
    extract_flow(sample_videos, two, cluster=machines)
    assert contents(two) == contents(one)
    for model in ("svm-hoof", partial(MODELS["ststnet"], epochs=3)):
        alone = evaluate(one, model=model, seeds=2, workers=1)
        shared = evaluate(two, model=model, seeds=2, cluster=machines)
        pd.testing.assert_frame_equal(shared.predictions, alone.predictions)
        assert shared.scores == alone.scores


@pytest.mark.slow
def test_a_worker_killed_during_an_extraction_loses_no_clip(sample_videos, machines, tmp_path, monkeypatch):
    monkeypatch.setattr(dask_cluster, "NO_WORKERS_TIMEOUT", float("inf"))
    extract_flow(sample_videos, tmp_path / "one", method=partial(dies_once, None))
    table = extract_flow(sample_videos, tmp_path / "two", method=partial(dies_once, tmp_path), cluster=machines)
    assert (tmp_path / "killed").exists()
    assert (table["status"] == "ok").all()
    assert contents(tmp_path / "two") == contents(tmp_path / "one")


@pytest.mark.slow
def test_rendered_bytes_equal_those_of_one_process(machines, tmp_path):
    pytest.importorskip("anny")
    pytest.importorskip("numba")
    from mer.synth import BenchmarkSettings, make_benchmark

    settings = BenchmarkSettings(people=2, clips=1, size=64)
    one = make_benchmark(tmp_path / "one", settings)
    two = make_benchmark(tmp_path / "two", settings, cluster=machines)
    assert contents(two) == contents(one)


# --- workers that die ---


@pytest.mark.slow
def test_a_killed_worker_loses_nothing(machines, tmp_path, monkeypatch):
    monkeypatch.setattr(dask_cluster, "NO_WORKERS_TIMEOUT", float("inf"))
    assert results(partial(kill_once, tmp_path), range(20), machines) == [2 * n for n in range(20)]
    assert (tmp_path / "killed").exists()


@pytest.mark.slow
def test_a_job_that_kills_every_worker_is_singled_out(machines, monkeypatch):
    monkeypatch.setattr(dask_cluster, "NO_WORKERS_TIMEOUT", float("inf"))  # workers may take any time to restart
    expected = [-1 if n == 3 else 2 * n for n in range(12)]
    assert results(killer, range(12), machines, died=lambda job: -1) == expected
    with pytest.raises(WorkerDied, match="its process died"):
        results(killer, range(12), machines)
