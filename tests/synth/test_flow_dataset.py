"""Runs resume, give the same bytes with any number of workers, and fail without damage."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mer.flow.facialflownet import read_facialflownet, read_records
from mer.synth import flow_dataset
from mer.synth.flow_dataset import Settings, make_dataset, plan
from mer.synth.people import Person
from mer.synth.portrait import PortraitError

SMALL = Settings(preset="micro", pairs=3, size=96, seed=3)


def digest(root: Path) -> dict[str, str]:
    return {
        p.relative_to(root).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(root.rglob("*"))
        if p.is_file()
    }


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return make_dataset(tmp_path_factory.mktemp("small") / "run", SMALL)


def test_a_run_is_complete(small):
    records = list(read_records(small))
    assert len(records) == 3
    split = records[0]["split"]
    pairs = read_facialflownet(small, split)
    first, _, flow = pairs[0].load()
    assert first.shape == (96, 96, 3)
    np.testing.assert_array_equal(flow.expression, flow.facial - flow.head)
    assert 0.1 < flow.mask.mean() < 0.6
    assert {r["identity"] for r in records} == {0}
    assert all(r["synthetic"] and r["units"] and len(r["frames"]) == 2 for r in records)
    assert "synthetic" in json.loads((small / "run.json").read_text())["note"].lower()
    assert len((small / "sequences.csv").read_text().splitlines()) == 4


def test_a_killed_run_resumes_with_the_same_bytes(small, tmp_path, monkeypatch):
    before = digest(small)
    other = tmp_path / "run"
    real, calls = flow_dataset._render_clip, []

    def killed(*args, **kwargs):
        if len(calls) == 1:
            raise KeyboardInterrupt
        calls.append(1)
        return real(*args, **kwargs)

    monkeypatch.setattr(flow_dataset, "_render_clip", killed)
    with pytest.raises(KeyboardInterrupt):
        make_dataset(other, SMALL)
    monkeypatch.undo()
    held = {p: p.stat().st_mtime_ns for p in other.rglob("*.json") if p.name != "run.json"}
    assert len(held) == 1
    make_dataset(other, SMALL)
    assert digest(other) == before
    assert all(p.stat().st_mtime_ns == t for p, t in held.items())  # complete clips are not rendered again


@pytest.mark.slow
def test_the_bytes_do_not_depend_on_the_workers(tmp_path):
    settings = Settings(preset="ffn", pairs=10, size=96, frames=5)
    make_dataset(tmp_path / "one", settings, workers=1)
    make_dataset(tmp_path / "two", settings, workers=2)
    assert digest(tmp_path / "one") == digest(tmp_path / "two")


def test_a_run_with_other_settings_is_not_touched(small):
    before = digest(small)
    with pytest.raises(ValueError, match=r"holds a run with other settings.*seed=3"):
        make_dataset(small, Settings(preset="micro", pairs=3, size=96, seed=4))
    assert digest(small) == before


def test_a_foreign_folder_is_not_touched(tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(ValueError, match="not empty"):
        make_dataset(tmp_path, SMALL)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (Settings(preset="macro"), "unknown preset 'macro'"),
        (Settings(pairs=0), "0 pairs"),
        (Settings(frames=7), "7 frames"),
        (Settings(size=16), "16 px"),
        (Settings(face_model="smpl"), "unknown face model"),
        (Settings(face_model="ict"), "--face-model-path"),
    ],
)
def test_invalid_settings_are_reported(tmp_path, settings, message):
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        make_dataset(tmp_path / "run", settings)
    assert not (tmp_path / "run").exists()


def test_a_small_disk_is_reported_before_the_work(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9, 10**6))
    with pytest.raises(OSError, match=r"10 pairs need about .* GB, the disk has 0.0 GB free"):
        make_dataset(tmp_path / "run", Settings(pairs=10))


def test_a_disk_that_fills_up_leaves_complete_files(small, tmp_path, monkeypatch):
    import errno

    from mer.flow import facialflownet

    real, calls = facialflownet.write_flo, []

    def full(path, field):
        calls.append(path)
        if len(calls) == 4:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        real(path, field)

    monkeypatch.setattr(facialflownet, "write_flo", full)
    with pytest.raises(OSError, match="No space left"):
        make_dataset(tmp_path / "run", SMALL)
    monkeypatch.undo()
    make_dataset(tmp_path / "run", SMALL)
    assert digest(tmp_path / "run") == digest(small)


def test_identities_stay_in_one_split_and_the_pairs_add_up():
    people = [Person(f"{k}.jpg", str(k // 2)) for k in range(60)]
    jobs = list(plan(Settings(preset="ffn", pairs=3000), people))
    assert sum(n - 1 for job in jobs for n in job.frames) == 3000
    splits: dict[int, set[str]] = {}
    for job in jobs:
        splits.setdefault(job.person.name, set()).add(job.split)
    assert all(len(s) == 1 for s in splits.values())
    counts = [sum(job.split == split for job in jobs) for split in ("train", "val", "test")]
    assert counts[0] > 0.6 * len(jobs)
    assert min(counts) > 0


def test_unusable_folders_and_pictures_are_reported(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such folder"):
        make_dataset(tmp_path / "run", Settings(faces=str(tmp_path / "nowhere")))
    faces = tmp_path / "faces"
    faces.mkdir()
    with pytest.raises(FileNotFoundError, match="no pictures"):
        make_dataset(tmp_path / "run1", Settings(faces=str(faces)))
    (faces / "a.jpg").write_bytes(b"not a picture")
    with pytest.raises(PortraitError, match=r"none of 1 pictures can be used.*not a readable picture"):
        make_dataset(tmp_path / "run2", Settings(faces=str(faces)))


def test_a_single_split_can_be_rendered():
    people = [Person(f"{k}.jpg", str(k)) for k in range(60)]
    settings = Settings(preset="micro", pairs=100, split="test")
    jobs = list(plan(settings, people))
    assert {job.split for job in jobs} == {"test"}
    assert sum(len(job.frames) for job in jobs) == 100
    same = {(job.identity, job.person) for job in plan(replace(settings, split="all", pairs=2000), people)}
    assert {(job.identity, job.person) for job in jobs} <= same
    with pytest.raises(ValueError, match="none of the 1 usable"):
        list(plan(settings, [Person("004.jpg", "004")]))
