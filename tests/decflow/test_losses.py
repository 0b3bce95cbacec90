from __future__ import annotations

import pytest
import torch

from mer.decflow.losses import Loss, sequence_loss

PLAIN = Loss(face_mask=False, occlusion_mask=False)


def batch(batch_size=2):
    torch.manual_seed(0)
    facial, head = torch.randn(2, batch_size, 2, 8, 8)
    mask = torch.zeros(batch_size, 1, 8, 8)
    mask[:, :, 2:6, 2:6] = 1
    return {"facial": facial, "head": head, "mask": mask, "visible": torch.ones(batch_size, 1, 8, 8)}


def off(b, facial=0.0, head=0.0):
    return (b["facial"] + facial, b["head"] + head)


def test_the_true_flow_has_zero_loss():
    b = batch()
    loss, epe = sequence_loss([off(b)] * 3, b, PLAIN)
    assert loss == 0
    assert epe["facial"] == 0
    assert epe["expression"] < 1e-6
    assert epe["none"] > 0


def test_the_loss_is_that_of_the_paper():
    b = batch()
    # A constant error e has mean |e| = e. Two iterates: gamma * first + last.
    loss, epe = sequence_loss([off(b, 0.2, 0.5), off(b, 0.1, 0.3)], b, PLAIN)
    first = 0.2 + 0.8 * 0.5 + 1.5 * 0.3
    last = 0.1 + 0.8 * 0.3 + 1.5 * 0.2
    assert loss.item() == pytest.approx(0.85 * first + last, rel=1e-4)
    assert epe["expression"].item() == pytest.approx(0.2 * 2**0.5, rel=1e-4)


@pytest.mark.parametrize("term", ["facial", "head", "expression"])
def test_each_term_can_be_left_out(term):
    b = batch()
    without = Loss(**{"facial": 0, "head": 0, "expression": 0, "face_mask": False, term: 1.0})
    wrong = {"facial": off(b, 0.1, 0.1), "head": off(b, 0.1, 0.1), "expression": off(b, 0.1, 0.0)}[term]
    assert sequence_loss([wrong], b, without)[0] > 0
    right = {"facial": off(b, 0, 1), "head": off(b, 1, 0), "expression": off(b, 1, 1)}[term]
    assert sequence_loss([right], b, without)[0].item() == pytest.approx(0, abs=1e-6)


def test_masked_pixels_do_not_count():
    b = batch()
    wrong = b["facial"] + 5 * (1 - b["mask"])
    full, _ = sequence_loss([(wrong, b["head"])], b, PLAIN)
    masked, epe = sequence_loss([(wrong, b["head"])], b, Loss(background=0.0))
    assert full > 1
    assert masked == 0
    assert epe["facial"] == 0
    b["visible"][:, :, 4:] = 0
    hidden = b["facial"] + 5 * (1 - b["visible"])
    assert sequence_loss([(hidden, b["head"])], b, Loss())[0].item() == pytest.approx(0, abs=1e-6)


def test_a_power_below_one_gives_small_errors_more_weight():
    b = batch()
    ratio = lambda power: (  # noqa: E731
        sequence_loss([off(b, 0.1)], b, Loss(power=power))[0] / sequence_loss([off(b, 1.0)], b, Loss(power=power))[0]
    )
    assert ratio(0.5) > 2 * ratio(1.0)
    with pytest.raises(ValueError, match="power"):
        Loss(power=0)


def test_pixels_with_too_long_flow_do_not_count():
    b = batch()
    b["facial"] = torch.full_like(b["facial"], 500.0)
    assert sequence_loss([(b["facial"] * 0, b["head"])], b, PLAIN)[0] == 0


def test_the_loss_of_a_batch_is_the_mean_over_its_parts():
    b = batch(4)
    estimate = off(b, 0.3 * torch.rand(4, 2, 8, 8))
    whole, _ = sequence_loss([estimate], b, Loss())
    parts = [
        sequence_loss([(estimate[0][s], estimate[1][s])], {k: v[s] for k, v in b.items()}, Loss())[0]
        for s in (slice(0, 2), slice(2, 4))
    ]
    assert whole.item() == pytest.approx(sum(parts).item() / 2, rel=1e-5)
