import numpy as np
import pytest
import torch
from torch.nn import functional

from mer.models.networks.ststnet import STREAMS, STSTNet


def count(network: torch.nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def three_streams(network: STSTNet, images: torch.Tensor) -> torch.Tensor:
    """The network of the paper, with three parallel streams and the same weights, in training mode without dropout."""
    streams, first = [], 0
    for filters in STREAMS:
        own = slice(first, first + filters)
        x = functional.conv2d(images, network.convolution.weight[own], network.convolution.bias[own], padding=2).relu()
        x = functional.batch_norm(x, None, None, network.norm.weight[own], network.norm.bias[own], training=True)
        streams.append(functional.max_pool2d(x, 3, 3, 1))
        first += filters
    return network.linear(functional.avg_pool2d(torch.cat(streams, 1), 2).flatten(1))


@pytest.fixture
def without_dropout(monkeypatch):
    monkeypatch.setattr("mer.models.networks.ststnet._drop_half", lambda x: x / 2)


def test_number_of_parameters_is_the_published_one():
    assert count(STSTNet(3, 28, 3)) == 1683  # 448 convolution, 32 normalization, 1,203 linear


@pytest.mark.parametrize(("size", "channels"), [(28, 3), (27, 3), (29, 2), (30, 1), (8, 3)])
def test_it_equals_three_streams_side_by_side_in_outputs_and_gradients(size, channels, without_dropout):
    torch.manual_seed(0)
    network = STSTNet(channels, size, 3).train()
    with torch.no_grad():
        network.norm.weight.uniform_(0.5, 1.5)
    images = torch.rand(20, channels, size, size) * 255
    images = images.round() if size == 28 else images  # kept as bytes, or as they are
    images[:5, :, 2:6] = 100  # flat parts, where several pixels of a window are its maximum
    wanted = torch.randint(0, 3, (20,))
    gradients = []
    for outputs in (network(network.prepare(images)), three_streams(network, images)):
        network.zero_grad()
        functional.cross_entropy(outputs, wanted).backward()
        gradients.append([p.grad.clone() for p in network.parameters()])
    torch.testing.assert_close(network(network.prepare(images)), three_streams(network, images), rtol=1e-5, atol=1e-5)
    for ours, theirs in zip(*gradients):
        assert (ours - theirs).abs().max() <= 1e-4 * theirs.abs().max()


def test_running_statistics_are_those_of_batch_normalization():
    torch.manual_seed(0)
    network, images = STSTNet(3, 28, 3).train(), torch.rand(9, 3, 28, 28)
    reference = torch.nn.BatchNorm2d(16)
    reference(network.convolution(images).relu())
    network(network.prepare(images))
    torch.testing.assert_close(network.norm.running_mean, reference.running_mean)
    torch.testing.assert_close(network.norm.running_var, reference.running_var)
    images = torch.rand(4, 3, 28, 28)
    x = functional.max_pool2d(network.eval().norm(network.convolution(images).relu()), 3, 3, 1)  # as published
    torch.testing.assert_close(network(images), network.linear(functional.avg_pool2d(x, 2).flatten(1)))


def test_dropout_drops_half():
    from mer.models.networks.ststnet import _drop_half

    torch.manual_seed(0)
    x = _drop_half(torch.ones(100, 10, 10, 16))
    assert set(np.unique(x)) == {0, 1}
    assert abs(float(x.mean()) - 0.5) < 0.005
    assert not torch.equal(_drop_half(torch.ones(1000)), _drop_half(torch.ones(1000)))
