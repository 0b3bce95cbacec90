import pytest
import torch

from mer.models.networks.shallow import RCNA, DualInception, OffApexNet, sssnet


@pytest.mark.parametrize(
    ("network", "channels", "size", "parameters"),
    [(OffApexNet, 2, 28, 2664475), (sssnet, 3, 64, 1349251), (RCNA, 3, 60, 55747), (DualInception, 2, 28, 6449867)],
)
def test_number_of_parameters_and_shape_of_the_scores(network, channels, size, parameters):
    torch.manual_seed(0)
    module = network(channels, size, 3).eval()
    assert sum(value.numel() for value in module.parameters()) == parameters
    assert module(torch.rand(2, channels, size, size)).shape == (2, 3)


def test_streams_are_separate():
    """The first stream takes u and the second v."""
    torch.manual_seed(0)
    network = OffApexNet(2, 28, 3).eval()
    images = torch.rand(1, 2, 28, 28)
    other_v = torch.cat([images[:, :1], torch.rand(1, 1, 28, 28)], 1)
    assert torch.equal(network.streams[0](images[:, :1]), network.streams[0](other_v[:, :1]))
    assert not torch.equal(network(images), network(other_v))
