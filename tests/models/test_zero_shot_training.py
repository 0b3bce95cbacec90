import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score

from mer.models.pretraining import read_record
from mer.models.synthetic_prior import zero_shot_strict
from mer.models.zero_shot_training import augment, save_weights, train_networks
from mer.synth.micro_flows import micro_flows


def test_networks_learn_and_training_is_repeatable(tmp_path):
    clips = micro_flows([], people=16, clips=16, seed=7, hardship=0.2)
    X = clips.flows.reshape(len(clips.flows), -1)
    first, again = (train_networks(clips, networks=1, epochs=10, seed=3)[0] for _ in range(2))
    assert all((value == again.state_dict()[name]).all() for name, value in first.state_dict().items())
    path = tmp_path / "networks.safetensors"
    save_weights([first], path, {"data": "rendered"})
    assert read_record(path) == {"data": "rendered"}
    model = zero_shot_strict(weights=path).fit(X, clips.labels)
    assert f1_score(clips.labels, model.predict(X), average="macro") > 0.5


def test_at_least_one_network_and_epoch_is_required(rendered):
    with pytest.raises(ValueError, match="at least one"):
        train_networks(rendered, networks=0)


def test_augmented_fields_are_mirrored_as_requested_and_repeatable():
    field = torch.zeros(2, 2, 28, 28)
    field[:, 0, :, :8] = 1  # u on the left side
    images = augment(field, torch.Generator().manual_seed(0), flip=torch.tensor([False, True]))
    assert images[0, 0, :, :14].sum() > 10 * images[0, 0, :, 14:].abs().sum()
    assert images[1, 0, :, 14:].sum() < -10 * images[1, 0, :, :14].abs().sum()
    again = augment(field, torch.Generator().manual_seed(0), flip=torch.tensor([False, True]))
    np.testing.assert_array_equal(images, again)
