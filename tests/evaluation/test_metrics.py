import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, recall_score

from mer.evaluation.metrics import accuracy, bootstrap, count, f1_by_class, recall_by_class, summarize, uar, uf1

CLASSES = ("negative", "positive", "surprise")
MEGC2019 = ["negative"] * 250 + ["positive"] * 109 + ["surprise"] * 83


def drawn(n: int = 200) -> tuple[list[str], list[str]]:
    rng = np.random.default_rng(0)
    truth = rng.choice(CLASSES, n, p=[0.6, 0.25, 0.15])
    return list(truth), [t if rng.random() < 0.6 else rng.choice(CLASSES) for t in truth]


def test_scores_equal_scikit_learns_if_every_class_occurs():
    truth, answer = drawn()
    counts = count(truth, answer, CLASSES)
    assert uf1(counts) == pytest.approx(f1_score(truth, answer, average="macro"))
    assert uar(counts) == pytest.approx(recall_score(truth, answer, average="macro"))
    assert accuracy(counts) == pytest.approx(accuracy_score(truth, answer))


def test_always_negative_on_the_composite():
    counts = count(MEGC2019, ["negative"] * 442, CLASSES)
    assert uf1(counts) == pytest.approx(0.2408, abs=5e-5)
    assert uar(counts) == pytest.approx(0.3333, abs=5e-5)
    assert accuracy(counts) == pytest.approx(0.5656, abs=5e-5)


def test_an_absent_class_scores_zero_and_is_not_skipped():
    counts = count(["negative", "positive"], ["negative", "positive"], CLASSES)
    np.testing.assert_array_equal(f1_by_class(counts), [1, 1, 0])
    np.testing.assert_array_equal(recall_by_class(counts), [1, 1, 0])
    assert uf1(counts) == uar(counts) == pytest.approx(2 / 3)


def test_a_missing_prediction_is_wrong():
    counts = count(["negative"] * 4, ["negative"] * 3 + [""], CLASSES[:2])
    assert accuracy(counts) == 0.75
    assert recall_by_class(counts)[0] == 0.75
    assert f1_by_class(counts)[0] == pytest.approx(2 * 3 / (2 * 3 + 0 + 1))


@pytest.mark.parametrize(("truth", "answer"), [(["joy"], ["negative"]), (["negative"], ["joy"]), ([""], ["negative"])])
def test_unknown_classes_are_refused(truth, answer):
    with pytest.raises(ValueError, match="not one of the classes"):
        count(truth, answer, CLASSES)


def test_counting_by_person_adds_up():
    truth, answer = drawn()
    person = np.arange(200) % 7
    by_person = count(truth, answer, CLASSES, person)
    assert by_person.shape == (7, 3, 4)
    np.testing.assert_array_equal(by_person.sum(0), count(truth, answer, CLASSES))


def test_interval_holds_the_score_and_narrows_with_people():
    def width(people: int) -> float:
        truth, answer = drawn(people * 10)
        counts = count(truth, answer, CLASSES, np.arange(people * 10) % people)[:, None]
        low, high = bootstrap(counts)["uf1"]
        assert low < uf1(counts.sum((0, 1))) < high
        return high - low

    assert width(200) < 0.6 * width(20)


def test_intervals_have_the_stated_coverage():
    """Of intervals from many drawn studies, about 95 % hold the score that the whole population has."""
    rng = np.random.default_rng(1)
    covered = 0
    for _ in range(200):
        skill = rng.beta(4, 2, 40)  # people differ
        right = rng.binomial(8, skill)
        counts = np.zeros((40, 1, 1, 2), np.int64)
        counts[:, 0, 0, 0], counts[:, 0, 0, 1] = right, 8 - right
        low, high = bootstrap(counts, resamples=300)["accuracy"]
        covered += low <= 4 / 6 <= high
    assert 0.90 <= covered / 200 <= 0.99


def test_interval_is_the_same_each_time_and_missing_for_one_person():
    truth, answer = drawn()
    counts = count(truth, answer, CLASSES, np.arange(200) % 7)[:, None]
    assert bootstrap(counts) == bootstrap(counts)
    assert bootstrap(counts[:1])["uf1"] is None


def test_summary_is_the_mean_over_seeds():
    good, bad = count(["negative", "positive"], ["negative", "positive"], CLASSES[:2]), np.zeros((2, 3), np.int64)
    bad[0, 1] = bad[1, 0] = 1
    summary = summarize(np.stack([np.stack([good, bad])] * 3))  # three people, two seeds
    assert summary["uf1"] == 0.5
    assert summary["uf1_sd"] == pytest.approx(np.std([1, 0], ddof=1))
    assert (summary["n"], summary["n_subjects"], summary["n_failed"]) == (6, 3, 0)
    assert summarize(np.stack([good[None]] * 3))["uf1_sd"] is None


def test_the_interval_of_two_people_is_that_of_their_three_mixtures():
    """One is always right, one always wrong: resamples score 0, 1/2 and 1 in 1, 2 and 1 of 4 cases."""
    counts = np.zeros((2, 1, 1, 2), np.int64)
    counts[0, 0, 0, 0] = counts[1, 0, 0, 1] = 5
    assert bootstrap(counts)["accuracy"] == [0, 1]
    assert bootstrap(counts, level=0.4)["accuracy"] == [0.5, 0.5]
    low, high = bootstrap(counts, level=0.6, resamples=20000)["accuracy"]
    assert (low, high) == (0, 1)


def test_the_interval_is_of_the_mean_over_seeds():
    """Under one seed all is right, under the other all is wrong, for everybody."""
    counts = np.zeros((5, 2, 1, 2), np.int64)
    counts[:, 0, 0, 0] = counts[:, 1, 0, 1] = 3
    assert bootstrap(counts)["accuracy"] == [0.5, 0.5]


def test_the_summary_counts_the_clips_and_the_failed_once_whatever_the_seeds():
    counts = np.stack([count(["a", "b", "b"], ["a", "b", ""], "ab"), count(["a", "b", "b"], ["", "", ""], "ab")])
    summary = summarize(np.stack([counts, counts]))
    assert (summary["n"], summary["n_subjects"], summary["n_failed"]) == (6, 2, 2)
    assert list(summary)[:6] == ["uf1", "uf1_interval", "uf1_sd", "uar", "uar_interval", "uar_sd"]
    assert summary["accuracy"] == pytest.approx((4 / 6 + 0) / 2)
    assert (
        summary["accuracy_interval"] == bootstrap(np.stack([counts, counts]))["accuracy"] == pytest.approx([1 / 3] * 2)
    )


def test_empty_predictions_score_zero():
    assert count([], [], CLASSES, np.array([], int)).shape == (0, 3, 4)
    assert accuracy(count([], [], CLASSES)) == uf1(count([], [], CLASSES)) == 0


def test_the_first_unknown_class_is_named_with_the_known_ones():
    with pytest.raises(ValueError, match=r"^'joy' is not one of the classes negative, positive, surprise$"):
        count(["negative", "positive"], ["zeal", "joy"], CLASSES)


def test_counts_are_whole_numbers():
    assert count(["a"], ["b"], "ab").dtype == np.int64


def test_an_interval_of_level_zero_is_the_median():
    truth, answer = drawn(400)
    counts = count(truth, answer, CLASSES, np.arange(400) % 40)[:, None]
    low, high = bootstrap(counts, level=0)["uf1"]
    assert low == high
    wider = bootstrap(counts, level=0.01)["uf1"]
    assert wider[0] < low < wider[1]
