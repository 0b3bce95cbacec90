from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from mer.synth.people import draw_portrait, find_people, vary_portrait
from mer.synth.portrait import PortraitError, portrait_fault


@pytest.fixture
def photographs(tmp_path, portrait):
    """Two pictures of one person, and one without a face."""
    folder = tmp_path / "faces"
    folder.mkdir()
    listed = {}
    for name in ("001_03.png", "001_08.png"):
        cv2.imwrite(str(folder / name), portrait.image[..., ::-1])
        listed[name] = {"lm": portrait.landmarks.tolist()}
    (folder / "landmarks478.json").write_text(json.dumps(listed))
    (folder / "002.png").write_bytes(b"not a picture")
    return folder


def test_usable_photographs_are_grouped_by_person(photographs, tmp_path):
    people = find_people(photographs, tmp_path / "faces.json")
    assert [person.name for person in people] == ["001", "001"]
    cached = json.loads((tmp_path / "faces.json").read_text())
    assert "not a readable picture" in cached["002.png"]["fault"]
    assert find_people(photographs, tmp_path / "faces.json") == people


def test_a_damaged_cache_is_rebuilt(photographs, tmp_path):
    (tmp_path / "faces.json").write_text("{")
    assert len(find_people(photographs, tmp_path / "faces.json")) == 2


def test_a_folder_without_usable_pictures_is_an_error(photographs, tmp_path):
    for path in photographs.glob("001*"):
        path.unlink()
    with pytest.raises(PortraitError, match=r"none of 1 pictures can be used.*not a readable picture"):
        find_people(photographs, tmp_path / "faces.json")


def test_a_photograph_is_varied_from_its_second_use_on(photographs, tmp_path):
    person = find_people(photographs, tmp_path / "faces.json")[0]
    first, second, again = (draw_portrait(person, use, np.random.default_rng(0)) for use in (0, 1, 1))
    assert np.linalg.norm(second.landmarks - first.landmarks, axis=1).mean() > 1.0
    np.testing.assert_array_equal(second.image, again.image)


def test_a_variation_is_another_person(portrait):
    other = vary_portrait(portrait, np.random.default_rng(0))
    assert np.linalg.norm(other.landmarks - portrait.landmarks, axis=1).mean() > 1.0
    assert other.image.shape == portrait.image.shape
    assert not portrait_fault(other.landmarks)
