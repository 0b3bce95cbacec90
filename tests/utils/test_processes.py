"""Jobs in one process or several give the same results, one per job, in any order."""

from mer.utils.processes import in_order, run_jobs


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
