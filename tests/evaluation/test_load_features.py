import numpy as np
import pytest

from mer.datasets.samples import read_samples
from mer.evaluation.load_features import read_rows
from mer.features import block_hoof
from mer.flow import load_component
from mer.models import PerClip
from tests.drawn_flows import write_drawn_flows


@pytest.fixture
def flows(tmp_path):
    write_drawn_flows(tmp_path, people=2, clips=3)
    return tmp_path


def samples_of(folder):
    return read_samples(folder).assign(**{"class": "x"})


def test_a_row_is_the_flattened_flow_in_interocular_distances(flows):
    samples = samples_of(flows)
    rows, failed, _ = read_rows(samples, flows, "expression", None)
    field = load_component(flows / samples["path"][0], "expression")
    np.testing.assert_allclose(rows[0], field.ravel() / samples["scale"][0], rtol=1e-6)
    assert len(rows) == 6
    assert failed.empty


def test_features_are_computed_for_each_clip(flows):
    samples = samples_of(flows)
    rows, _, _ = read_rows(samples, flows, "expression", PerClip(block_hoof))
    field = load_component(flows / samples["path"][2], "expression") / np.float32(samples["scale"][2])
    np.testing.assert_allclose(rows[2], block_hoof(field), rtol=1e-5)


def test_a_missing_file_is_a_failed_clip_with_a_row_of_zeros(flows):
    samples = samples_of(flows)
    (flows / samples["path"][1]).unlink()
    rows, failed, _ = read_rows(samples, flows, "expression", None)
    assert failed.index.tolist() == [1]
    assert failed["status"].tolist() == ["unreadable"]
    assert not rows[1].any()


def test_the_hash_depends_on_the_flows_and_not_on_their_order(flows):
    samples = samples_of(flows)
    _, _, digest = read_rows(samples, flows, "expression", None)
    _, _, reversed_digest = read_rows(samples[::-1].reset_index(drop=True), flows, "expression", None)
    _, _, other = read_rows(samples[:5], flows, "expression", None)
    assert digest == reversed_digest != other


def test_scales_of_some_clips_alone_are_refused(flows):
    samples = samples_of(flows)
    samples.loc[0, "scale"] = np.nan
    with pytest.raises(ValueError, match="scale"):
        read_rows(samples, flows, "expression", None)
