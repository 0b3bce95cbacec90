import os
import signal
from functools import partial

import pytest

from mer.utils.fresh_processes import run_in_fresh_processes
from mer.utils.processes import WorkerDied

STATE: list[int] = []


def remember(number: int) -> list[int]:
    STATE.append(number)
    return list(STATE)


def run(function, numbers, workers=1, imports=()):
    return list(run_in_fresh_processes(function, [partial(int, number) for number in numbers], workers, imports))


@pytest.mark.parametrize("workers", [1, 2])
def test_jobs_share_no_state_and_keep_their_order(workers):
    assert run(remember, [3, 1, 2], workers) == [[3], [1], [2]]
    assert STATE == []


def test_each_job_has_its_own_process():
    processes = run(lambda number: os.getpid(), range(3))
    assert len({os.getpid(), *processes}) == 4


def test_errors_keep_their_type_and_the_traceback():
    def fail(number):
        raise KeyError(f"job {number}")

    with pytest.raises(KeyError, match="job 1") as error:
        run(fail, [1])
    assert "in fail" in str(error.value.__cause__)


def test_an_error_that_cannot_be_unpickled_is_reported():
    class Odd(Exception):
        def __init__(self, first, second):
            super().__init__(f"{first} and {second}")

    def fail(number):
        raise Odd("one", "two")

    with pytest.raises(RuntimeError, match="Odd: one and two"):
        run(fail, [1])


def test_a_process_that_dies_is_reported():
    with pytest.raises(WorkerDied, match="memory"):
        run(lambda number: os.kill(os.getpid(), signal.SIGKILL), [1])


def test_without_fork_each_job_starts_a_process(monkeypatch):
    monkeypatch.setattr("mer.utils.fresh_processes.FORKS", False)
    assert run(remember, [3, 1], imports=["json", "no_such_module"]) == [[3], [1]]
