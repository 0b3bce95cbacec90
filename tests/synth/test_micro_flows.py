import numpy as np
import pytest

from mer.models.zero_shot_classifier import has_margins
from mer.synth.micro_flows import micro_flows
from mer.synth.unit_motions import UNITS


def test_clips_follow_from_the_seed():
    first, again, other = micro_flows([], 3, 2, seed=4), micro_flows([], 3, 2, seed=4), micro_flows([], 3, 2, seed=5)
    np.testing.assert_array_equal(first.flows, again.flows)
    assert first.labels.tolist() == again.labels.tolist()
    assert not np.array_equal(first.flows, other.flows)
    assert first.flows.shape == (6, 28, 28, 2)
    assert first.flows.dtype == np.float32
    assert first.people.tolist() == [0, 0, 1, 1, 2, 2]


def test_people_do_not_depend_on_their_number():
    np.testing.assert_array_equal(micro_flows([], 2, 2).flows, micro_flows([], 3, 2).flows[:4])


def test_micro_expressions_are_small():
    clips = micro_flows([], 10, 4)
    peaks = np.hypot(*np.moveaxis(clips.flows, -1, 0)).max((1, 2))
    assert 0.003 < np.median(peaks) < 0.06  # interocular distances: 0.3 to 6 pixels in a crop of 224


def test_without_hardship_the_corners_hardly_move():
    clips = micro_flows([], 6, 4, hardship=0)
    still = clips.intensities.max(1) == 0
    assert not still.any()
    corners = np.abs(clips.flows[:, :2, :2]).max((1, 2, 3))
    assert (corners < 0.35 * np.abs(clips.flows).max((1, 2, 3))).all()


def test_random_units_cover_the_table():
    clips = micro_flows([], 30, 4, any_units=True)
    assert set(clips.labels) == {""}
    shown = (clips.intensities > 0).any(0)
    assert shown.sum() > 0.9 * len(UNITS)


def test_faces_of_a_model_can_be_used(makehuman):
    clips = micro_flows([makehuman], 4, 2)
    assert np.isfinite(clips.flows).all()


def test_zero_people_is_an_error():
    with pytest.raises(ValueError, match="at least 1"):
        micro_flows([], 0)


def test_the_aligned_crop_is_zero_around_the_face():
    box, aligned = micro_flows([], 2, 2), micro_flows([], 2, 2, crop="aligned")
    assert all(map(has_margins, aligned.flows))
    assert not any(map(has_margins, box.flows))
    assert (box.labels == aligned.labels).all()
    assert (box.crop, aligned.crop) == ("box", "aligned")
    with pytest.raises(ValueError, match="box or aligned"):
        micro_flows([], 1, 1, crop="face")
