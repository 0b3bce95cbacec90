import torch

from mer.models.networks.r3d import r3d


def test_number_of_parameters():
    assert sum(value.numel() for value in r3d(1, 64, 3).parameters()) == 2075667


def test_clips_become_scores():
    torch.manual_seed(0)
    assert r3d(1, 32, 5, width=8).eval()(torch.rand(2, 1, 10, 32, 32)).shape == (2, 5)
