"""The networks by name."""

from __future__ import annotations

import pytest
import torch

from mer.decflow.networks import NETWORKS, build, predict


def test_an_unknown_network_is_named():
    with pytest.raises(ValueError, match="unknown network 'other'; choose from lite, paper, raft-small, raft-large"):
        build("other")


def test_a_network_with_one_field_has_zero_head_flow():
    frame = 255 * torch.rand(1, 3, 128, 128)
    with torch.inference_mode():
        iterates = predict(build("raft-small").eval(), {"onset": frame, "apex": frame}, 2, all_iterates=True)
    assert len(iterates) == 2
    facial, head = iterates[-1]
    assert facial.shape == head.shape == (1, 2, 128, 128)
    assert not head.any()


def test_every_name_has_a_network():
    assert all(isinstance(build(name), torch.nn.Module) for name in NETWORKS)
