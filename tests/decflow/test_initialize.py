"""Initial weights: of whole networks, and of parts of the published one."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file

from mer.decflow.initialize import start_from
from mer.decflow.networks import build
from mer.decflow.weights import WeightsError

GMA = ("fnet", "cnet", "att", "update_block")


@pytest.fixture(scope="module")
def paper():
    torch.manual_seed(1)
    return build("paper").state_dict()


def test_without_files_all_parts_are_random():
    assert start_from(build("lite"), []) == ["damping", "features", "decoders"]


def test_a_file_with_the_whole_network_is_loaded(tmp_path):
    torch.manual_seed(1)
    given, network = build("lite"), build("lite")
    save_file({k: v.contiguous() for k, v in given.state_dict().items()}, tmp_path / "whole.safetensors")
    assert start_from(network, [tmp_path / "whole.safetensors"]) == []
    assert all(torch.equal(v, given.state_dict()[k]) for k, v in network.state_dict().items())
    save_file({"features.conv1.bias": torch.zeros(32)}, tmp_path / "part.safetensors")
    with pytest.raises(WeightsError, match=r"--init: part\.safetensors does not fit LiteDecFlow: \d+ missing"):
        start_from(build("lite"), [tmp_path / "part.safetensors"])


def test_the_published_network_starts_from_gma_and_a_resnet(paper, tmp_path):
    gma = {f"module.{k}": v for k, v in paper.items() if k.split(".")[0] in GMA}
    torch.save(gma, tmp_path / "gma.pth")
    resnet = {
        k.replace("dad_encoder.model.0.", "features.init_block.").replace("dad_encoder.model.", "features.stage"): v
        for k, v in paper.items()
        if k.startswith("dad_encoder.")
    }
    save_file(resnet | {"output.bias": torch.zeros(9), "features.stage4.x": torch.zeros(1)}, tmp_path / "r.safetensors")
    network = build("paper")
    random = {k: v.clone() for k, v in network.state_dict().items()}
    assert start_from(network, [tmp_path / "gma.pth", tmp_path / "r.safetensors"]) == ["change_dim", "res1"]
    after = network.state_dict()
    for key, value in after.items():
        part, rest = key.split(".", 1)
        source = f"update_block.{rest}" if part == "update_block_head" else key
        assert torch.equal(value, random[key] if part in ("change_dim", "res1") else paper[source]), key
    network = build("paper")
    assert start_from(network, [tmp_path / "gma.pth"]) == ["dad_encoder", "change_dim", "res1"]


def test_parts_that_do_not_fit_are_named(paper, tmp_path):
    odd = {"att.to_qk.weight": paper["att.to_qk.weight"], "fnet.conv1.bias": torch.zeros(3), "head.x": torch.zeros(1)}
    torch.save(odd, tmp_path / "odd.pth")
    with pytest.raises(WeightsError) as error:
        start_from(build("paper"), [tmp_path / "odd.pth"])
    for words in ("left over: head.x", "of another shape: fnet.conv1.bias", "missing: att.pos_emb"):
        assert words in str(error.value)
    with pytest.raises(WeightsError, match="does not exist"):
        start_from(build("paper"), [tmp_path / "none.pth"])
