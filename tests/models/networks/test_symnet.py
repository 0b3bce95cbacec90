import numpy as np
import pytest
import torch

from mer.features import mirror
from mer.models import MODELS, symnet_input
from mer.models.networks.symnet import SymNet, augment, mirror_windows
from tests.drawn_flows import MOTION, drawn_field


def rows(fields: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.stack([symnet_input(field) for field in fields])).permute(0, 3, 1, 2)


@pytest.fixture
def fields() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(4, 56, 56, 2)).astype(np.float32)


def test_mirrored_windows_are_those_of_the_mirrored_face(fields):
    torch.testing.assert_close(
        mirror_windows(rows(fields)), rows(np.stack([mirror(f) for f in fields])), atol=1e-5, rtol=0
    )
    torch.testing.assert_close(mirror_windows(mirror_windows(rows(fields))), rows(fields))


def test_scores_of_a_face_and_its_mirror_image_are_equal(fields):
    torch.manual_seed(0)
    network = SymNet(17, 7, 3).eval()
    torch.testing.assert_close(network(rows(fields)), network(mirror_windows(rows(fields))))
    with pytest.raises(ValueError, match="17"):
        SymNet(3, 7, 3)


def test_mixed_clips_have_mixed_targets(fields):
    torch.manual_seed(0)
    x, targets = augment(rows(fields), torch.eye(4))
    assert x.shape == (4, 17, 7, 7)
    torch.testing.assert_close(targets.sum(1), torch.ones(4))
    assert (targets.diagonal() >= 0.5).all()


@pytest.mark.parametrize("name", ["symnet", "ensemble"])
def test_one_sided_motion_is_recognized_on_the_other_side(name):
    """Trained on motion on the right side only, tested on motion on the left side only."""
    rng = np.random.default_rng(0)
    y = np.array([list(MOTION)[i % 3] for i in range(60)])
    fields = np.stack([drawn_field(label, rng, noise=0.1) for label in y])
    right, left = fields.copy(), fields.copy()
    right[:, :, 12:], left[:, :, :12] = 0, 0
    model = (MODELS[name]() if name == "ensemble" else MODELS[name](0, epochs=30)).fit(right[:42], y[:42])
    assert model.score(left[42:], y[42:]) > 0.7
