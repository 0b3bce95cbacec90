from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mer.spotting.scores import iou, match, score, score_recognition


def table(rows: list[tuple], **columns: list) -> pd.DataFrame:
    names = ["subject", "clip", "onset", "offset", "kind"]
    return pd.DataFrame(rows, columns=names).assign(dataset="d", **columns)


def test_iou_counts_both_ends() -> None:
    assert iou(np.array([[0, 9]]), np.array([[0, 9], [5, 14], [10, 19], [0, 4]])).tolist() == [
        [1.0, pytest.approx(5 / 15), 0.0, 0.5]
    ]
    assert iou(np.empty((0, 2)), np.array([[0, 1]])).shape == (0, 1)


@pytest.mark.parametrize(
    ("truth", "spotted", "counts"),  # tp, fp, fn
    [
        ([], [], (0, 0, 0)),
        ([(0, 9)], [], (0, 0, 1)),
        ([], [(0, 9)], (0, 1, 0)),
        ([(0, 9)], [(0, 4)], (1, 0, 0)),  # exactly half of the union counts
        ([(0, 9)], [(0, 3)], (0, 1, 1)),
        ([(0, 9)], [(0, 9), (1, 9)], (1, 1, 0)),  # an interval is matched once
        ([(0, 9), (2, 11)], [(1, 10)], (1, 0, 1)),
        # Both can be matched, though the first spotted one overlaps more with the second.
        ([(0, 9), (3, 12)], [(3, 12), (6, 15)], (2, 0, 0)),
    ],
)
def test_intervals_are_matched_one_to_one(truth: list, spotted: list, counts: tuple) -> None:
    rows = [table([("a", "v", *ends, "micro") for ends in side]) for side in (truth, spotted)]
    row = score(match(*rows)).set_index("kind").loc["micro"]
    assert (row["tp"], row["fp"], row["fn"]) == counts


def test_other_videos_and_other_kinds_are_not_matched() -> None:
    truth = table([("a", "v", 0, 9, "micro"), ("b", "v", 0, 9, "micro"), ("a", "w", 0, 40, "macro")])
    spotted = table([("a", "w", 0, 9, "micro"), ("b", "v", 0, 9, "macro"), ("a", "w", 0, 40, "macro")])
    scores = score(match(truth, spotted)).set_index("kind")
    assert scores.loc["micro", ["tp", "fp", "fn"]].tolist() == [0, 1, 2]
    assert scores.loc["macro", ["tp", "fp", "fn"]].tolist() == [1, 1, 0]
    assert scores.loc["overall", ["tp", "fp", "fn"]].tolist() == [1, 2, 2]


def test_the_whole_database_is_one_long_video() -> None:
    # One video with 1 of 1 and one with 0 of 3: pooled recall is 1/4, the mean over videos would be 1/2.
    truth = table([("a", "v", 0, 9, "micro"), *[("a", "w", 100 * i, 100 * i + 9, "micro") for i in range(3)]])
    spotted = table([("a", "v", 0, 9, "micro"), ("a", "v", 50, 59, "micro")])
    row = score(match(truth, spotted)).set_index("kind").loc["overall"]
    assert (row["recall"], row["precision"], row["f1"]) == (1 / 4, 1 / 2, pytest.approx(2 / 6))


def test_empty_tables_score_zero() -> None:
    assert score(match(table([]), table([])))["f1"].tolist() == [0.0, 0.0, 0.0]


def test_an_invalid_threshold_is_refused() -> None:
    with pytest.raises(ValueError, match="overlap is 0"):
        match(table([]), table([]), 0)


def test_recognition_is_scored_on_true_positives_with_a_class() -> None:
    truth = table(
        [("a", "v", 100 * i, 100 * i + 9, "micro") for i in range(6)],
        label=["negative", "negative", "positive", "surprise", None, "negative"],
    )
    spotted = table(
        [("a", "v", 100 * i, 100 * i + 9, "micro") for i in range(5)],
        prediction=["negative", "positive", "positive", "negative", "negative"],
    )
    scores = score_recognition(match(truth, spotted), ("negative", "positive", "surprise"))
    # Of four: negative precision 1/2, recall 1/2; positive 1/2, 1; surprise 0, 0.
    p, r = (1 / 2 + 1 / 2 + 0) / 3, (1 / 2 + 1 + 0) / 3
    assert scores["n"] == 4
    assert scores["f1"] == pytest.approx(2 * p * r / (p + r))
    assert scores["uf1"] == pytest.approx((1 / 2 + 2 / 3 + 0) / 3)
    assert scores["uar"] == pytest.approx(r)
