from functools import partial

import numpy as np
import pytest
from typer.testing import CliRunner

from mer.cli.program import app
from mer.evaluation.train_classifier import train_classifier
from mer.extraction.extract import extract_flow
from mer.extraction.frame_files import load_clip, load_pair
from mer.features import resample_time
from mer.flow import load_component, load_flow
from mer.models import MODELS, name_of, new_model
from mer.models.emotion_reader import EmotionReader
from mer.models.model_files import load_model
from mer.models.pretraining import pretrain, read_record, seen_before
from mer.synth.micro_flows import micro_flows
from tests.drawn_flows import write_drawn_flows


@pytest.fixture(scope="module")
def flows(tmp_path_factory):
    folder = tmp_path_factory.mktemp("flows")
    return folder, write_drawn_flows(folder, people=4, clips=6)


def test_a_fitted_model_is_saved_with_its_score(flows, tmp_path):
    folder, table = flows
    out = tmp_path / "model.npz"
    done = CliRunner().invoke(app, ["train", "classifier", str(folder), "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert f"model: {out}" in done.output
    model, record = load_model(out)
    assert record["protocol"] == "loso"
    assert record["pretrain"] == "none"
    assert record["clips"] == len(table)
    assert 0 < record["scores"]["uf1"] <= 1
    X = np.stack([load_component(folder / path).ravel() / 12 for path in table["path"]])
    assert (model.predict(X) == table["label"]).mean() > 0.9


@pytest.mark.slow
def test_models_of_frames_are_fitted_to_frames_and_saved(sample_videos, tmp_path):
    flows = tmp_path / "flows"
    table = extract_flow(sample_videos, flows, method="dis", size=64, clips=True, pairs=True)
    few = partial(MODELS["end-to-end"], epochs=2, tuning_epochs=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(MODELS, "end-to-end", few)
        train_classifier(tmp_path / "pairs.npz", "end-to-end", flows, workers=1)
        loaded, record = load_model(tmp_path / "pairs.npz")
        pairs = np.stack([load_pair(flows / path) for path in table["path"]])
        answers = loaded.predict(pairs[:4])
        reader = EmotionReader.load(tmp_path / "pairs.npz")
        flow = load_flow(flows / table["path"].iloc[0])
        assert reader.read(flow, table["scale"].iloc[0], tuple(pairs[0]))[0] == answers[0]
    assert record["clips"] == len(table)
    train_classifier(tmp_path / "clips.npz", "svm-3dhog", flows, workers=1)
    clips = np.stack([resample_time(load_clip(flows / path), 10) for path in table["path"]])
    by_hand = new_model("svm-3dhog").fit(clips, table["label"])
    assert list(load_model(tmp_path / "clips.npz")[0].predict(clips)) == list(by_hand.predict(clips))
    with pytest.raises(ValueError, match="which takes gray clips"):
        EmotionReader.load(tmp_path / "clips.npz")


def test_a_zero_shot_model_is_trained_without_flow(tmp_path):
    out = tmp_path / "model.npz"
    command = ["train", "classifier", "--model", "zero-shot", "--pretrain", "synth", "--face-model", "drawn"]
    done = CliRunner().invoke(app, [*command, "--people", "12", "--networks", "1", "--out", str(out)])
    assert done.exit_code == 0, done.output
    model, record = load_model(out)
    assert record["pretrain"]["faces"] == ["drawn"]
    assert record["pretrain"]["clips"] == 144
    assert "scores" not in record
    assert model.predict_proba(np.zeros((2, 28 * 28 * 2))).shape == (2, 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": "svm-hoof"}, "needs a flow folder"),
        ({"model": "svm-hoof", "pretrain": "synth"}, "learns from labeled clips only"),
        ({"model": "none"}, "unknown model 'none'"),
        ({"model": "zero-shot", "pretrain": "photographs"}, "the only choice is synth"),
    ],
)
def test_impossible_combinations_are_refused(options, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        train_classifier(tmp_path / "model.npz", **options)
    assert not list(tmp_path.iterdir())


def test_the_name_of_a_model_must_end_in_npz(tmp_path):
    with pytest.raises(ValueError, match=r"call it model\.npz"):
        train_classifier(tmp_path / "model.pkl", "zero-shot")


def test_a_network_is_pretrained_on_rendered_clips_and_the_result_records_it(flows, tmp_path):
    folder, _ = flows
    out = tmp_path / "model.npz"
    short = partial(MODELS["symnet"], epochs=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(MODELS, "symnet", short)
        result = train_classifier(out, "symnet", folder, pretrain="synth", face_models=(), people=4, workers=1)
    assert result.settings["pretrained"].startswith("rendered micro-expressions: 48 clips of 4 synthetic people")
    assert name_of(short) == "symnet"
    model, record = load_model(out)
    assert record["pretrain"]["clips"] == 48
    assert model[-1].classes_.tolist() == ["disgust", "happiness", "surprise"]  # the last layer is new

    weights = tmp_path / "weights.safetensors"
    rendered = micro_flows([], 6, 6, seed=3)
    pretrain("symnet", rendered, weights, {"data": "drawn faces"}, epochs=8)
    assert read_record(weights)["head"] == ["head.weight", "head.bias", "direct.weight", "direct.bias"]
    still = MODELS["symnet"](0, epochs=1, learning_rate=0.0, pretrained=weights).fit(rendered.flows, rendered.labels)
    fresh = MODELS["symnet"](0, epochs=1, learning_rate=0.0).fit(rendered.flows, rendered.labels)
    assert still.score(rendered.flows, rendered.labels) > fresh.score(rendered.flows, rendered.labels)
    assert seen_before(still).startswith("drawn faces")
    assert seen_before(fresh) == "none"
    with pytest.raises(ValueError, match="another network"):
        MODELS["ststnet"](pretrained=weights, epochs=1).fit(rendered.flows, rendered.labels)
