from __future__ import annotations

import numpy as np

from mer.synth.animation import draw_light, ffn_clip, micro_clip, peak_motion


def test_micro_expressions_are_small(head):
    clips = [micro_clip(head, "makehuman", np.random.default_rng(k)) for k in range(60)]
    peaks = np.array([peak_motion(head, "makehuman", clip.units) for clip in clips])
    assert ((peaks > 0.2) & (peaks < 4)).mean() > 0.85
    turned = np.array([np.subtract(c.states[1].rotation, c.states[0].rotation) for c in clips])
    assert 0.1 < np.abs(turned).mean() < 2
    assert any(unit[0] in "LR" for clip in clips for unit in clip.units)


def test_a_micro_expression_rises_and_falls(head):
    clip = micro_clip(
        head, "makehuman", np.random.default_rng(4), 20, lead=4, fps=60, units={"12": 0.3}, head_motion=0, distraction=0
    )
    intensity = np.array([state.units.get("12", 0.0) for state in clip.states])
    intensity -= intensity[0]
    assert clip.onset == 4
    assert intensity[: clip.onset + 1].max() == 0
    assert intensity.argmax() == clip.apex
    assert np.isclose(intensity.max(), 0.3)
    assert (np.diff(intensity[clip.onset : clip.apex + 1]) > 0).all()
    assert len({state.rotation for state in clip.states}) == 1


def test_a_large_clip_ends_with_its_expression(head):
    clip = ffn_clip(head, "makehuman", np.random.default_rng(1), 10)
    assert len(clip.states) == 10
    assert (clip.onset, clip.apex, clip.offset) == (0, 9, 9)
    for unit, intensity in clip.units.items():
        assert np.isclose(clip.states[-1].units[unit], intensity)
    assert clip.states[0].rotation != clip.states[-1].rotation


def test_a_unit_can_move_one_side_alone(head):
    assert peak_motion(head, "makehuman", {}) == 0
    assert peak_motion(head, "makehuman", {"12": 0.2}) > 1


def test_the_lamp_is_in_front_of_the_face():
    lamps = np.array([draw_light(np.random.default_rng(k)) for k in range(50)])
    assert (lamps[:, 2] <= 0).all()
    assert np.linalg.norm(lamps, axis=1).max() <= 0.55
