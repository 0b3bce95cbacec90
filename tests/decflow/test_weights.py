from __future__ import annotations

import hashlib
import json
import pickle

import pytest
import torch
from typer.testing import CliRunner

from mer.cli.weights import weights as command
from mer.decflow.import_weights import convert
from mer.decflow.networks import build
from mer.decflow.weights import WeightsError, find_weights, list_weights, load_network, save_weights
from tests.decflow.test_paper import formula_weights


@pytest.fixture(autouse=True)
def _own_folder(folder):
    """Tests do not read the weights of whoever runs them."""


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """As the authors distribute it: a pickled state dict, keys behind `module.`."""
    path = tmp_path_factory.mktemp("theirs") / "decflow-facialflownet.pth"
    torch.save({f"module.{key}": value for key, value in formula_weights().items()}, path)
    return path


def run_command(arguments):
    import typer

    app = typer.Typer()
    app.command()(command)
    return CliRunner().invoke(app, arguments)


def test_convert_keeps_every_weight(checkpoint, folder):
    path = convert(checkpoint)
    assert path == folder / "decflow-paper.safetensors"
    card = json.loads(path.with_suffix(".json").read_text())
    assert card["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert card["parameters"] == 20_085_442
    direct = build("paper")
    direct.load_state_dict(formula_weights())
    loaded = load_network("paper", "decflow-paper")
    weights = loaded.state_dict()
    assert all(torch.equal(value, weights[key]) for key, value in direct.state_dict().items())
    frames = torch.rand(2, 1, 3, 128, 128) * 255
    with torch.inference_mode():
        for a, b in zip(loaded(*frames, 1)[0], direct.eval()(*frames, 1)[0]):
            assert (a - b).abs().max() < 1e-3  # the order in memory differs, and with it the order of sums


def test_convert_lists_what_is_missing_and_left_over(checkpoint, tmp_path):
    state = torch.load(checkpoint, weights_only=True)
    del state["module.fnet.conv1.bias"]
    state["module.extra"] = torch.zeros(1)
    state["module.change_dim.bias"] = torch.zeros(3)
    torch.save(state, tmp_path / "broken.pth")
    with pytest.raises(WeightsError) as error:
        convert(tmp_path / "broken.pth")
    assert "1 missing: fnet.conv1.bias" in str(error.value)
    assert "1 left over: extra" in str(error.value)
    assert "1 of another shape: change_dim.bias" in str(error.value)
    assert not list_weights() or list_weights()[0]["name"] != "decflow-paper"


class _Dangerous:
    def __reduce__(self):
        return (print, ("a checkpoint ran code",))


def test_code_in_a_checkpoint_is_not_run(tmp_path, capsys):
    path = tmp_path / "evil.pth"
    path.write_bytes(pickle.dumps(_Dangerous()))
    torch.save({"x": _Dangerous()}, tmp_path / "evil2.pth")
    for file in (path, tmp_path / "evil2.pth"):
        with pytest.raises(WeightsError, match="cannot be read"):
            convert(file)
    assert "ran code" not in capsys.readouterr().out


def test_missing_weights_list_the_places_searched(folder):
    with pytest.raises(WeightsError, match=r"mer weights convert") as error:
        find_weights("decflow-paper")
    assert str(folder) in str(error.value)
    with pytest.raises(WeightsError, match="other"):
        find_weights("other")
    folder.rmdir()
    with pytest.raises(WeightsError, match=r"MER_WEIGHTS names the folder .*mine, which does not exist"):
        find_weights("decflow")


def test_the_users_weights_take_precedence_as_the_list_shows(folder):
    save_weights(folder / "decflow.safetensors", build("lite"), {"name": "decflow"})
    assert find_weights("decflow").parent == folder
    assert [card.get("used", "yes")[:3] for card in list_weights() if card["name"] == "decflow"] == ["yes", "no;"]


def test_saved_weights_are_found_by_name_and_listed(folder):
    network = build("lite")
    save_weights(folder / "mine.safetensors", network, {"name": "mine", "licence": "CC0"})
    assert find_weights("mine") == folder / "mine.safetensors"
    card = list_weights()[0]
    assert (card["name"], card["licence"], card["path"]) == ("mine", "CC0", str(folder / "mine.safetensors"))
    shown = run_command([])
    assert shown.exit_code == 0
    assert card["sha256"] in shown.output


def test_truncated_weights_are_reported(folder):
    path = save_weights(folder / "cut.safetensors", build("lite"), {})
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(WeightsError, match="does not match its card: its SHA-256"):
        load_network("lite", path)
    assert "damaged" in next(card for card in list_weights() if card["name"] == "cut")
    path.with_suffix(".json").unlink()
    with pytest.raises(WeightsError, match="not a readable safetensors file"):
        load_network("lite", path)
    path.with_suffix(".json").write_text("{")
    with pytest.raises(WeightsError, match=r"cut\.json is damaged"):
        list_weights()


def test_loading_a_network_does_not_change_the_random_state(folder):
    path = save_weights(folder / "mine.safetensors", build("lite"), {})
    drawn = []
    for _ in range(2):  # the second time from the cache
        torch.manual_seed(0)
        load_network("lite", path)
        drawn.append(float(torch.rand(1)))
    assert drawn[0] == drawn[1]


@pytest.mark.parametrize(
    ("state", "words"),
    [({1: torch.zeros(2)}, "holds no state dict"), ({"a": torch.full((2,), torch.nan)}, "not finite, in a")],
)
def test_checkpoints_without_usable_weights_are_rejected(tmp_path, state, words):
    torch.save(state, tmp_path / "odd.pth")
    with pytest.raises(WeightsError, match=words):
        convert(tmp_path / "odd.pth")


def test_converted_weights_need_the_suffix_safetensors(tmp_path, checkpoint):
    with pytest.raises(WeightsError, match=r"call it here\.safetensors"):
        convert(checkpoint, tmp_path / "here")
