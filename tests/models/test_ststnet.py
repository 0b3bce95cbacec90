import numpy as np
import pytest
import torch

from mer.models.ststnet import STREAMS, ststnet_input, ststnet_network


def test_number_of_parameters_is_the_published_one():
    network = ststnet_network(3, 28, 3)
    assert sum(p.numel() for p in network.parameters()) == 1683  # 448 convolution, 32 normalization, 1,203 linear


def test_it_equals_three_streams_side_by_side():
    """In training, where batch normalization takes the statistics of the batch; dropout is left out, being random."""
    torch.manual_seed(0)
    merged = ststnet_network(3, 28, 3)
    merged[4] = torch.nn.Identity()
    images = torch.rand(8, 3, 28, 28) * 255
    streams = []
    first = 0
    for filters in STREAMS:
        own = slice(first, first + filters)
        convolution = torch.nn.Conv2d(3, filters, 3, padding=2)
        convolution.load_state_dict({key: value[own] for key, value in merged[0].state_dict().items()})
        x = torch.nn.BatchNorm2d(filters)(convolution(images).relu())
        streams.append(torch.nn.functional.max_pool2d(x, 3, 3, 1))
        first += filters
    x = torch.nn.functional.avg_pool2d(torch.cat(streams, 1), 2)
    assert x.shape == (8, 16, 5, 5)
    torch.testing.assert_close(merged[7](x.flatten(1)), merged(images))


def test_published_scaling_stretches_each_channel():
    flow = np.random.default_rng(0).normal(size=(56, 56, 2)).astype(np.float32)
    image = ststnet_input(flow)
    assert image.shape == (28, 28, 3)
    np.testing.assert_allclose(image.min((0, 1)), 0, atol=1e-4)
    np.testing.assert_allclose(image.max((0, 1)), 255, rtol=1e-5)
    np.testing.assert_allclose(ststnet_input(3 * flow), image, atol=0.01)  # strength is lost


def test_metric_scaling_keeps_strength():
    flow = np.random.default_rng(0).normal(size=(28, 28, 2)).astype(np.float32)
    np.testing.assert_allclose(
        ststnet_input(3 * flow, scaling="metric"), 3 * ststnet_input(flow, scaling="metric"), rtol=1e-4, atol=1e-5
    )
    np.testing.assert_allclose(
        ststnet_input(flow + 1, scaling="metric"), ststnet_input(flow, scaling="metric"), atol=1e-5
    )


def test_constant_flow_is_not_divided_by_zero():
    assert not ststnet_input(np.full((28, 28, 2), 0.5)).any()


def test_other_scalings_are_refused():
    with pytest.raises(ValueError, match="minmax"):
        ststnet_input(np.zeros((28, 28, 2)), scaling="min-max")
