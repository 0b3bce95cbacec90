import numpy as np
import pytest

from mer.models import MODELS, new_model, seen_before
from mer.models.pretraining import pretrain, read_record, take_weights


@pytest.fixture(scope="module")
def weights(rendered, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "symnet.safetensors"
    pretrain("symnet", rendered, path, {"data": "drawn", "clips": 180, "people": 20, "faces": ["drawn"]}, epochs=1)
    return path


def test_the_header_records_data_and_training(weights):
    record = read_record(weights)
    assert (record["model"], record["epochs"], record["seed"], record["crop"]) == ("symnet", 1, 0, "box")
    assert record["classes"] == ["negative", "positive", "surprise"]
    assert record["head"] == ["head.weight", "head.bias", "direct.weight", "direct.bias"]


def test_results_describe_the_training_data(weights):
    model = MODELS["symnet"](pretrained=weights)
    assert seen_before(model).startswith("drawn: 180 clips of 20 synthetic people; faces: drawn; weights SHA-256 ")
    assert seen_before(MODELS["symnet"]()) == "none"
    assert seen_before(object()) == "none"


def test_the_last_layer_stays_random_for_other_classes(weights, rendered):
    network = new_model("symnet")[-1].network(17, 7, 3)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    loaded = take_weights(network, weights, ["a", "b", "c"])
    assert before.keys() - loaded == set(read_record(weights)["head"])
    assert (network.head.weight == before["head.weight"]).all()
    assert not (network.window[0].weight == before["window.0.weight"]).all()
    assert take_weights(network, weights, ["negative", "positive", "surprise"]) == before.keys()


def test_weights_of_another_network_are_refused(weights):
    network = new_model("ststnet")[-1].network(3, 28, 3)
    with pytest.raises(ValueError, match="another network"):
        take_weights(network, weights, ["negative", "positive", "surprise"])


def test_networks_of_frames_cannot_be_pretrained(rendered, tmp_path):
    with pytest.raises(ValueError, match="mmnet-frames cannot be pre-trained"):
        pretrain("mmnet-frames", rendered, tmp_path / "x.safetensors", {})
    with pytest.raises(FileNotFoundError, match="no weights at"):
        read_record(tmp_path / "x.safetensors")
    np.savez(tmp_path / "x.safetensors", a=np.zeros(3))
    with pytest.raises((ValueError, FileNotFoundError)):
        read_record(tmp_path / "x.safetensors")
