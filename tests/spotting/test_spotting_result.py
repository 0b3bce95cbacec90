from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from mer.evaluation.protocols.protocol import PROTOCOLS, ProtocolError
from mer.spotting import evaluate_spotting


@pytest.fixture
def spotted(tmp_path: Path) -> Path:
    truth = pd.DataFrame(
        [
            ("casme-sq", "s15", "v", 10, 14, 20, "micro", "disgust"),
            ("casme-sq", "s15", "v", 100, 130, 160, "macro", "happiness"),
            ("samm-lv", "006", "006_1", 0, 50, 80, "micro", "anger"),
            ("other", "x", "y", 0, 50, 80, "micro", "anger"),
        ],
        columns=["dataset", "subject", "clip", "onset", "apex", "offset", "kind", "label"],
    )
    found = truth.iloc[[0, 2]].assign(prediction=["negative", "positive"]).drop(columns="label")
    found = pd.concat([found, found.iloc[:1].assign(onset=200, offset=212)])
    truth.to_csv(tmp_path / "truth.csv", index=False)
    found.to_csv(tmp_path / "spotted.csv", index=False)
    return tmp_path


def test_scores_of_each_database_and_of_all(spotted: Path) -> None:
    result = evaluate_spotting(spotted, "megc2020-spotting")
    scores = result.scores.set_index(["dataset", "kind"])
    assert scores.loc[("casme-sq", "micro"), ["tp", "fp", "fn"]].tolist() == [1, 1, 0]
    assert scores.loc[("casme-sq", "overall"), ["tp", "fp", "fn"]].tolist() == [1, 1, 1]
    assert scores.loc[("samm-lv", "overall"), "f1"] == 1
    assert scores.loc[("all", "overall"), "f1"] == pytest.approx(4 / 6)
    assert "other" not in set(result.matches["dataset"])
    assert "casme-sq has 1 macro-expressions here, 300 were published" in result.notes


def test_the_files_of_a_result(spotted: Path, tmp_path: Path) -> None:
    folder = evaluate_spotting(spotted, "megc2020-spotting").save(tmp_path / "result")
    assert {path.name for path in folder.iterdir()} == {
        "scores.csv", "scores.json", "matches.csv", "casme-sq.log.txt", "samm-lv.log.txt",
    }  # fmt: skip
    assert (folder / "casme-sq.log.txt").read_text() == ("2\nv 10 20 10 20 TP\nv - - 200 212 FP\nv 100 160 - - FN\n")


def test_strs_is_the_product_of_spotting_and_recognition(spotted: Path) -> None:
    row = evaluate_spotting(spotted, "strs").scores.set_index("dataset").loc["all"]
    spot = 2 * 2 / (3 + 3)  # three micro-expressions, three spotted, two of them right
    p, r = 1 / 3, 1 / 2 / 3  # negative: 1 of 1 answers, 1 of 2 clips; positive: one wrong answer
    assert row["f1"] == pytest.approx(spot)
    assert row["strs"] == pytest.approx(spot * 2 * p * r / (p + r))


def test_strs_needs_predictions(spotted: Path) -> None:
    table = pd.read_csv(spotted / "spotted.csv").drop(columns="prediction")
    table.to_csv(spotted / "spotted.csv", index=False)
    with pytest.raises(ProtocolError, match="mer spot VIDEOS --model FILE"):
        evaluate_spotting(spotted, "strs")


def test_invalid_folders_and_protocols_are_refused(spotted: Path, tmp_path: Path) -> None:
    with pytest.raises(ProtocolError, match="not a spotting protocol"):
        evaluate_spotting(spotted, "loso")
    with pytest.raises(ProtocolError, match=r"truth\.csv is missing"):
        evaluate_spotting(tmp_path / "nowhere")
    table = pd.read_csv(spotted / "truth.csv")
    table[table["dataset"] == "other"].to_csv(spotted / "truth.csv", index=False)
    with pytest.raises(ProtocolError, match="no micro or macro-expression of casme-sq, samm-lv"):
        evaluate_spotting(spotted, "megc2020-spotting")
    table.assign(offset=-1).to_csv(spotted / "truth.csv", index=False)
    with pytest.raises(ProtocolError, match="row 2: the offset"):
        evaluate_spotting(spotted)


def test_a_spotting_protocol_refuses_a_flow_folder() -> None:
    with pytest.raises(ProtocolError, match="mer spot VIDEOS"):
        PROTOCOLS["megc2020-spotting"].select(pd.DataFrame({"dataset": [], "label": [], "aus": []}))
