import torch

from mer.models.networks.mmnet import MMNet, jitter_flow, jitter_frames

WIDTHS = (8, 8, 8, 16)


def test_number_of_parameters():
    assert sum(value.numel() for value in MMNet(3, 224, 3).parameters()) == 11629267


def test_with_six_channels_the_branch_of_positions_takes_the_last_three():
    torch.manual_seed(0)
    network = MMNet(6, 32, 3, WIDTHS).eval()
    images = torch.rand(2, 6, 32, 32)
    tokens = []
    network.token.register_forward_hook(lambda module, inputs, output: tokens.append(inputs[0]))
    assert network(images).shape == (2, 3)
    expected = torch.nn.functional.adaptive_avg_pool2d(images[:, 3:], 14).flatten(2).transpose(1, 2)
    torch.testing.assert_close(tokens[0], expected)


def test_half_of_the_flow_fields_are_mirrored():
    torch.manual_seed(0)
    images, targets = torch.rand(200, 3, 4, 4), torch.rand(200, 3)
    jittered, same_targets = jitter_flow(images, targets)
    assert same_targets is targets
    mirrored = images.flip(3) * torch.tensor([-1.0, 1.0, 1.0]).view(1, 3, 1, 1)
    is_mirrored = (jittered == mirrored).flatten(1).all(1)
    assert ((jittered == images).flatten(1).all(1) != is_mirrored).all()
    assert 60 < is_mirrored.sum() < 140


def test_frames_are_moved_by_little():
    torch.manual_seed(0)
    ramp = torch.linspace(0, 1, 56).expand(9, 6, 56, 56).clone()
    jittered, _ = jitter_frames(ramp, torch.rand(9, 3))
    centered = jittered[:, :, 14:42, 14:42]
    unmirrored = torch.where((centered[..., -1:] > centered[..., :1]), centered, 1 - centered)
    assert (unmirrored - ramp[:, :, 14:42, 14:42]).abs().max() < 0.12
