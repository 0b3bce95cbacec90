import pytest
import torch

from mer.models.networks.htnet import HTNet

SMALL = {"widths": (24, 36, 48), "blocks": (1, 1, 1)}


def test_images_become_scores():
    torch.manual_seed(0)
    assert HTNet(3, 28, 5, **SMALL).eval()(torch.rand(2, 3, 28, 28)).shape == (2, 5)


def test_attention_stays_within_a_part_of_the_face():
    torch.manual_seed(0)
    x = torch.rand(1, 24, 4, 4)
    changed = x.clone()
    changed[..., 3, 3] += 1
    for windows, affected in (("parts", {(2, 2), (2, 3), (3, 2), (3, 3)}), ("token", {(3, 3)})):
        level = HTNet(3, 28, 3, windows, **SMALL).eval().levels[0]
        difference = (level(x) - level(changed)).abs().amax(1)[0]
        assert {tuple(index.tolist()) for index in difference.nonzero()} == affected


def test_unknown_windows_and_sizes_are_refused():
    with pytest.raises(ValueError, match="'parts' or 'token'"):
        HTNet(3, 28, 3, windows="all")
    with pytest.raises(ValueError, match="4 x 4 patches"):
        HTNet(3, 30, 3)
