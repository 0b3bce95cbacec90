"""Jobs in one process or several give the same results, one per job, in any order."""

import os

import pytest

from mer.utils.processes import LIMITS_MEMORY, in_order, parse_bytes, run_jobs


def test_results_are_put_into_the_order_of_their_jobs():
    seen = []

    def results():
        for number in (2, 0, 1, 3):
            seen.append(number)
            yield number, number * 10

    ordered = in_order(results())
    assert next(ordered) == 0
    assert seen == [2, 0]  # no more than needed
    assert list(ordered) == [10, 20, 30]
    assert list(in_order(iter(()))) == []


def test_one_process_runs_the_jobs_in_order():
    assert list(run_jobs(abs, [-3, -1, -2])) == [(0, 3), (1, 1), (2, 2)]
    assert list(run_jobs(abs, [])) == []
    assert list(run_jobs(abs, [-3], workers=4)) == [(0, 3)]


def dies_at_two(job: int) -> int:
    if job == 2:
        os.kill(os.getpid(), 11)  # as a library that overruns its memory
    return 10 * job


def test_a_job_that_kills_its_process_does_not_stop_the_others():
    results = dict(run_jobs(dies_at_two, [1, 2, 3], isolate=True, died=lambda job: "died"))
    assert results == {0: 10, 1: "died", 2: 30}


@pytest.mark.skipif(not LIMITS_MEMORY, reason="processes have no memory limit on this system")
def test_a_process_may_not_allocate_more_than_its_limit():
    def allocate(megabytes: int) -> int:
        try:
            return len(bytearray(megabytes << 20)) >> 20
        except MemoryError:
            return -1

    assert dict(run_jobs(allocate, [10, 4000], memory_limit=3 << 30)) == {0: 10, 1: -1}


@pytest.mark.parametrize(("text", "n"), [("4GB", 4 << 30), ("500 MB", 500 << 20), ("1.5g", 3 << 29), ("100", 100)])
def test_an_amount_of_memory_is_parsed(text, n):
    assert parse_bytes(text) == n


@pytest.mark.parametrize("text", ["", "many", "0", "-1GB"])
def test_another_amount_of_memory_is_refused(text):
    with pytest.raises(ValueError, match="is not an amount of memory"):
        parse_bytes(text)
