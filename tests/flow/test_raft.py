"""RAFT handles frames of any size; its weights are not downloaded unless allowed, and never unpickled."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from mer.flow import raft
from mer.utils.torch_setup import import_torchvision


class NotFetched(Exception):
    pass


@pytest.fixture(autouse=True)
def no_weights(monkeypatch, tmp_path):
    """An empty torch cache, no user settings, and no network."""
    for name in ("MER_RAFT_SMALL", "MER_RAFT_LARGE", "MER_DOWNLOAD"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))

    def fetch(url: str, *args: object, **options: object) -> None:
        raise NotFetched(url)

    monkeypatch.setattr(torch.hub, "download_url_to_file", fetch)


@pytest.fixture(scope="module")
def random_weights(tmp_path_factory) -> Path:
    import_torchvision()
    from torchvision.models.optical_flow import raft_small

    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "random.pth"
    torch.save(raft_small(weights=None).state_dict(), path)
    return path


@pytest.fixture
def frames() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (70, 101, 3), dtype=np.uint8) for _ in range(2)]


def test_flow_has_the_size_of_the_frames(monkeypatch, random_weights, frames):
    monkeypatch.setenv("MER_RAFT_SMALL", str(random_weights))
    flow = raft.raft_small(*frames, device="cpu")
    assert flow.shape == (70, 101, 2)
    assert flow.dtype == np.float32
    assert np.isfinite(flow).all()
    assert np.array_equal(flow, raft.raft_small(*frames, device="cpu"))


def test_flow_matches_torchvision(random_weights):
    """For a size without padding, the result equals torchvision's transform and network."""
    from torchvision.models.optical_flow import Raft_Small_Weights

    rng = np.random.default_rng(0)
    frames = [rng.integers(0, 256, (128, 136, 3), dtype=np.uint8) for _ in range(2)]
    network = raft.load_raft("small", random_weights)
    tensors = Raft_Small_Weights.C_T_V2.transforms()(*(torch.from_numpy(f).permute(2, 0, 1)[None] for f in frames))
    with torch.inference_mode():
        expected = network(*tensors)[-1][0].permute(1, 2, 0).numpy()
    assert raft.raft_flow(network, *frames) == pytest.approx(expected, abs=1e-4)


def test_safetensors_are_read(random_weights, tmp_path, frames):
    from safetensors.torch import save_file

    save_file(torch.load(random_weights, weights_only=True), tmp_path / "random.safetensors")
    networks = [raft.load_raft("small", path) for path in (random_weights, tmp_path / "random.safetensors")]
    assert np.array_equal(*(raft.raft_flow(network, *frames) for network in networks))


def test_missing_weights_raise_with_instructions(frames):
    with pytest.raises(FileNotFoundError, match=r"MER_DOWNLOAD=1.*4 MB.*BSD-3-Clause.*MER_RAFT_SMALL"):
        raft.raft_small(*frames)
    with pytest.raises(FileNotFoundError, match=r"MER_DOWNLOAD=1.*20 MB.*BSD-3-Clause.*MER_RAFT_LARGE"):
        raft.raft_large(*frames)


def test_weights_are_downloaded_only_if_allowed(monkeypatch):
    monkeypatch.setenv("MER_DOWNLOAD", "1")
    with pytest.raises(NotFetched, match=r"raft_small_C_T_V2-01064c6d\.pth"):
        raft.find_weights("small")
    with pytest.raises(FileNotFoundError):
        raft.find_weights("small", download=False)


def test_urls_match_torchvision():
    import_torchvision()
    from torchvision.models.optical_flow import Raft_Large_Weights, Raft_Small_Weights

    assert raft.URLS["small"] == Raft_Small_Weights.C_T_V2.url
    assert raft.URLS["large"] == Raft_Large_Weights.C_T_SKHT_V2.url


def test_a_damaged_download_is_rejected(random_weights, frames):
    cached = Path(torch.hub.get_dir(), "checkpoints", "raft_small_C_T_V2-01064c6d.pth")
    cached.parent.mkdir(parents=True)
    cached.write_bytes(random_weights.read_bytes())
    with pytest.raises(ValueError, match="damaged"):
        raft.raft_small(*frames)


class Dangerous:
    def __reduce__(self):
        return (Path.touch, (Path("ran"),))


def test_code_in_a_weight_file_is_not_run(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    Path("evil.pth").write_bytes(pickle.dumps(Dangerous(), protocol=2))
    with pytest.raises(ValueError, match=r"evil\.pth does not hold weights of raft-small"):
        raft.load_raft("small", "evil.pth")
    assert not Path("ran").exists()


def test_weights_of_another_network_are_rejected(random_weights, tmp_path):
    with pytest.raises(ValueError, match="does not hold weights of raft-large"):
        raft.load_raft("large", random_weights)


def test_a_variable_that_names_a_missing_file_is_reported(monkeypatch):
    monkeypatch.setenv("MER_RAFT_SMALL", "nowhere.pth")
    with pytest.raises(FileNotFoundError, match=r"MER_RAFT_SMALL names nowhere\.pth"):
        raft.find_weights("small")
