"""Generated faces and portraits."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from mer.face import detect_faces
from mer.synth.animation import COMPOSITE, EXPRESSIONS, MICRO, draw_units, micro_clip, peak_motion
from mer.synth.blendshapes import parse_unit
from mer.synth.people import vary_portrait
from mer.synth.portrait import PortraitError, load_portrait, unsuitable
from mer.synth.skin import generate_portrait
from mer.synth.video_benchmark import BenchmarkSettings, make_benchmark


def test_a_generated_face_is_found_with_its_landmarks(portrait):
    shown = np.where(portrait.matte[..., None] > 0.5, portrait.image, 150).astype(np.uint8)
    faces = detect_faces(shown)
    assert faces
    unit = np.linalg.norm(portrait.landmarks[263, :2] - portrait.landmarks[33, :2])
    off = np.linalg.norm(faces[0].landmarks[:468, :2] - portrait.landmarks[:468, :2], axis=1) / unit
    assert np.median(off) < 0.05


def test_no_two_seeds_share_a_face():
    faces = [generate_portrait(np.random.default_rng([1, k])) for k in range(4)]
    for i in range(4):
        for j in range(i):
            shape = np.linalg.norm(faces[i].landmarks[:, :2] - faces[j].landmarks[:, :2], axis=1).mean()
            skin = np.abs(faces[i].image[180:340, 180:330].astype(float) - faces[j].image[180:340, 180:330]).mean()
            assert shape > 1.5
            assert skin > 4
    again = generate_portrait(np.random.default_rng([1, 0]))
    np.testing.assert_array_equal(again.image, faces[0].image)


def test_generated_faces_can_all_be_used():
    for k in range(5):
        assert not unsuitable(generate_portrait(np.random.default_rng([2, k])).landmarks)


def test_a_variation_is_another_person(portrait):
    other = vary_portrait(portrait, np.random.default_rng(0))
    assert np.linalg.norm(other.landmarks - portrait.landmarks, axis=1).mean() > 1.0
    assert other.image.shape == portrait.image.shape
    assert not unsuitable(other.landmarks)


def test_every_set_of_units_is_in_the_table():
    for sets in (EXPRESSIONS, MICRO):
        for patterns in sets.values():
            for seed in range(12):
                for unit in draw_units(patterns, np.random.default_rng(seed)):
                    parse_unit(unit)
    assert {e for emotions in COMPOSITE.values() for e in emotions} == set(MICRO)


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
    course = np.array([state.units.get("12", 0.0) for state in clip.states])
    course -= course[0]
    assert clip.onset == 4
    assert course[: clip.onset + 1].max() == 0
    assert course.argmax() == clip.apex
    assert np.isclose(course.max(), 0.3)
    assert (np.diff(course[clip.onset : clip.apex + 1]) > 0).all()
    assert len({state.rotation for state in clip.states}) == 1


def test_the_benchmark_is_laid_out_for_extraction(tmp_path):
    pd, av = pytest.importorskip("pandas"), pytest.importorskip("av")
    settings = BenchmarkSettings(people=1, clips=1, size=96)
    make_benchmark(tmp_path / "b", settings)
    table = pd.read_csv(tmp_path / "b/labels.csv")
    assert list(table) == ["subject", "clip", "label", "onset", "apex", "offset", "fps", "aus", "dataset"]
    assert sorted(table["label"]) == ["negative", "positive", "surprise"]
    assert (table["onset"] < table["apex"]).all()
    assert (table["apex"] < table["offset"]).all()
    for row in table.itertuples():
        with av.open(str(tmp_path / "b" / row.subject / f"{row.clip}.mp4")) as video:
            assert sum(1 for _ in video.decode(video=0)) > row.offset
    assert "Synthetic" in (tmp_path / "b/NOTE.txt").read_text()
    before = {p: p.read_bytes() for p in (tmp_path / "b").rglob("*.mp4")}
    next(iter(before)).unlink()
    make_benchmark(tmp_path / "b", settings)
    assert {p: p.read_bytes() for p in before} == before


def test_pictures_that_cannot_be_used(tmp_path):
    blank = tmp_path / "blank.png"
    cv2.imwrite(str(blank), np.full((200, 200, 3), 128, np.uint8))
    with pytest.raises(PortraitError, match="no face found"):
        load_portrait(blank)
    (tmp_path / "landmarks478.json").write_text("{ not json")
    with pytest.raises(PortraitError, match="not a list of landmarks"):
        load_portrait(blank)


@pytest.mark.assets
def test_photographs(assets, makehuman):
    from mer.synth.head import make_head

    folder = assets / "faces" / "sfhq"
    usable = 0
    for path in sorted(folder.glob("*.jpg"))[:8]:
        try:
            portrait = load_portrait(path)
        except PortraitError:
            continue
        usable += 1
        assert 0.2 < portrait.matte.mean() < 0.95
        head = make_head(portrait, makehuman)
        at = head.camera.project(head.landmarks)[:, :2]
        np.testing.assert_allclose(at, portrait.landmarks[:, :2], atol=1e-2)
    assert usable >= 3
