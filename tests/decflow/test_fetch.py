from __future__ import annotations

import hashlib
import json

import pytest
import torch
from safetensors.torch import save_file

from mer.decflow.fetch import fetch
from mer.decflow.weights import WeightsError, find_weights, list_weights
from tests.decflow.test_weights import folder, run_command  # noqa: F401


def test_fetch_keeps_only_what_has_the_right_hash(tmp_path, folder):  # noqa: F811
    source = tmp_path / "there.safetensors"
    save_file({"a": torch.zeros(3, 4), "bn.running_mean": torch.zeros(5)}, source)
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    with pytest.raises(WeightsError, match="nothing was kept"):
        fetch(source.as_uri(), "0" * 64, "got")
    with pytest.raises(WeightsError, match="cannot be fetched"):
        fetch((tmp_path / "not_there.safetensors").as_uri(), digest, "got")
    with pytest.raises(WeightsError, match="https"):
        fetch("http://example.org/x", digest, "got")
    with pytest.raises(WeightsError, match="no name for weights"):
        fetch(source.as_uri(), digest, "../got")
    text = tmp_path / "text.safetensors"
    text.write_text("no weights")
    with pytest.raises(WeightsError, match="not a readable safetensors file"):
        fetch(text.as_uri(), hashlib.sha256(text.read_bytes()).hexdigest(), "got")
    assert not list(folder.glob("*"))
    assert fetch(source.as_uri(), digest, "got").read_bytes() == source.read_bytes()
    source.with_suffix(".json").write_text(json.dumps({"licence": "CC0", "sha256": digest, "name": "other"}))
    shown = run_command(["fetch", source.as_uri(), "--sha256", digest.upper()])
    assert shown.exit_code == 0, shown.output
    assert find_weights("there").read_bytes() == source.read_bytes()
    cards = {card["name"]: card for card in list_weights() if "source" in card}
    assert {name: card["source"] for name, card in cards.items()} == dict.fromkeys(("got", "there"), source.as_uri())
    assert (cards["got"]["parameters"], cards["there"]["licence"]) == (12, "CC0")
