import json
from unittest.mock import patch

import numpy as np
import pandas as pd
import pytest

from mer.datasets.samples import read_samples
from mer.flow import load_flow
from mer.models.action_unit_reader import action_units
from mer.models.emotion_reader import EmotionReader
from mer.spotting.analyze_video import analyze
from tests.analyzed import MARKS, analyzed, spotted


@pytest.fixture(scope="module")
def found(sample_videos, tmp_path_factory):
    return analyzed(sample_videos, tmp_path_factory.mktemp("analysis"))


def test_tables_page_and_flow_folder_are_written(found):
    names = sorted(path.name for path in found.folder.glob("[!.]*"))
    assert names == ["curve.csv", "flows", "intervals.csv", "report.html", "run.json", "units.csv"]
    table = pd.read_csv(found.folder / "intervals.csv")
    assert table[["onset", "apex", "offset"]].to_numpy().tolist() == [list(marks) for marks in MARKS]
    samples = read_samples(found.folder / "flows")
    assert samples["status"].tolist() == ["ok", "ok"]
    assert samples["apex_source"].tolist() == ["spotted", "spotted"]
    for path, inside in zip(table["path"], samples["path"]):
        assert (found.folder / path).samefile(found.folder / "flows" / inside)


def test_units_and_emotion_are_read_from_the_written_flow(found):
    row = found.intervals.iloc[1]
    flow = load_flow(found.folder / row["path"])
    read = action_units(flow.expression, row["scale"], crop="aligned")
    units = found.units[found.units["onset"] == row["onset"]].set_index("unit")["intensity"]
    assert units.to_dict() == pytest.approx(read, abs=1e-3)
    answer, chances = EmotionReader.load().read(flow, row["scale"], (np.zeros((224, 224, 3), np.uint8),) * 2)
    assert row["emotion"] == answer == max(chances, key=lambda name: chances[name])
    assert [row[f"p_{name}"] for name in chances] == pytest.approx(list(chances.values()), abs=1e-3)


def test_the_record_holds_command_and_model(found):
    record = json.loads((found.folder / "run.json").read_text())
    assert record["command"].startswith("mer analyze ")
    assert "--method farneback" in record["command"]
    assert record["model"]["name"] == "zero-shot-strict"
    assert record["model"]["labeled"] is False
    assert len(record["sha256"]["video"]) == 64
    assert any("50 frames per second" in note for note in record["notes"])
    page = found.report.read_text(encoding="utf-8")
    assert "trained without real labels" in page
    assert page.count("data:image/jpeg") > 20


def test_saturated_units_are_reported(found, sample_videos, tmp_path):
    assert "action units are at maximum intensity" not in found.report.read_text(encoding="utf-8")
    with patch(
        "mer.spotting.analyze_video.action_units", lambda *_, **__: dict.fromkeys(("2", "L6", "R6", "12", "25"), 1.0)
    ):
        strong = analyzed(sample_videos, tmp_path, marks=MARKS[:1])
    assert "4 action units are at maximum intensity" in strong.report.read_text(encoding="utf-8")


def test_the_flow_equals_that_of_extraction(found, tmp_path):
    from mer.extraction.extract import extract_flow

    video = json.loads((found.folder / "run.json").read_text())["video"]["path"]
    table = extract_flow(video, tmp_path, annotations=found.folder / "intervals.csv", method="farneback")
    assert table["status"].tolist() == ["ok", "ok"]
    for path, own in zip(table["path"], found.intervals["path"]):
        assert np.allclose(load_flow(tmp_path / path).facial, load_flow(found.folder / own).facial, atol=1e-4)


def test_without_a_face_in_the_onset_the_tracked_face_is_used(sample_videos, tmp_path):
    with patch("mer.extraction.expression.detect_faces", lambda *_: []):
        hidden = analyzed(sample_videos, tmp_path, with_faces=False)
    assert hidden.intervals["status"].tolist() == ["ok", "ok"]
    assert load_flow(hidden.folder / hidden.intervals["path"][0]).mask.any()


def test_without_expressions_the_report_shows_the_curve_and_old_flows_are_removed(sample_videos, tmp_path):
    analyzed(sample_videos, tmp_path)
    assert list((tmp_path / "out/flows").rglob("*.npz"))
    nothing = analyzed(sample_videos, tmp_path, marks=(), with_faces=False)
    assert len(nothing.intervals) == len(nothing.units) == 0
    assert not list((tmp_path / "out/flows").rglob("*.npz"))
    page = nothing.report.read_text(encoding="utf-8")
    assert "No expression was found" in page
    assert "curve-picture" in page
    assert "--no-faces" in nothing.record["command"]


def test_a_second_face_is_noted_and_no_face_refused(found, sample_videos, tmp_path):
    with patch("mer.spotting.analyze_video._count_faces", lambda *_: 2):
        several = analyzed(sample_videos, tmp_path, marks=(), with_faces=False)
    assert "The video shows 2 faces. The largest one" in several.record["notes"][0]
    video = tmp_path / "me.mp4"
    empty = spotted(video, ())
    empty.keys.clear()
    with (
        patch("mer.spotting.analyze_video.spot", lambda *_, **__: empty),
        pytest.raises(ValueError, match="no face was found"),
    ):
        analyze(video, tmp_path / "none")
    assert not (tmp_path / "none").exists()


@pytest.mark.slow
def test_a_fitted_model_uses_its_own_settings_and_its_score_is_shown(sample_videos, tmp_path):
    from mer.evaluation.train_classifier import train_classifier
    from mer.extraction.extract import extract_flow

    extract_flow(sample_videos, tmp_path / "flows", method="farneback", size=96)
    train_classifier(tmp_path / "model.npz", "svm-hoof", tmp_path / "flows", protocol="loso")
    fitted = analyzed(sample_videos, tmp_path, model=tmp_path / "model.npz")
    assert fitted.record["flow"]["size"] == 96
    assert fitted.record["model"]["labeled"] is True
    assert set(fitted.intervals["emotion"]) <= set(fitted.record["model"]["classes"])
    score = fitted.record["model"]["record"]["scores"]["uf1"]
    assert f"scored UF1 {score:.3f}" in " ".join(fitted.report.read_text(encoding="utf-8").split())


@pytest.mark.slow
@pytest.mark.assets
def test_real_videos_with_and_without_a_face(assets, tmp_path):
    found = analyze(assets / "videos/single_face.mp4", tmp_path / "one", method="dis", with_faces=False)
    assert (found.intervals["status"] == "ok").all()
    assert "data:image/jpeg" in found.report.read_text(encoding="utf-8")
    with pytest.raises(ValueError, match="no face was found"):
        analyze(assets / "videos/no_face.mp4", tmp_path / "none")
