"""FacialFlowNet's layout is written and read as by the original code."""

from __future__ import annotations

from glob import glob
from os import path as osp

import numpy as np
import pytest

from mer.flow import Flow, read_flo
from mer.flow.facialflownet import FacialFlowNetError, read_facialflownet, read_records, write_sequence

SIZE = 24


def write(root, frames: int = 5, sequence: str = "000001_00", split: str = "train") -> list[Flow]:
    rng = np.random.default_rng(0)
    flows = [
        Flow.split(rng.normal(0, 2, (SIZE, SIZE, 2)), rng.normal(0, 1, (SIZE, SIZE, 2)), rng.random((SIZE, SIZE)) < 0.5)
        for _ in range(frames - 1)
    ]
    write_sequence(
        root, split, "happy", sequence, [np.full((SIZE, SIZE, 3), 12 * k + 40, np.uint8) for k in range(frames)], flows,
        occlusions=[(rng.random((SIZE, SIZE)) < 0.1).astype(np.uint8) for _ in flows],
        landmarks=rng.random((frames, 478, 3)), record={"sequence": sequence},
    )  # fmt: skip
    return flows


def test_written_sequences_are_read_back(tmp_path):
    flows = write(tmp_path)
    pairs = read_facialflownet(tmp_path, "train")
    assert [p.number for p in pairs] == [0, 1, 2, 3]
    for pair, flow in zip(pairs, flows):
        first, second, read = pair.load()
        for name in ("facial", "head", "expression", "mask"):
            np.testing.assert_array_equal(getattr(read, name), getattr(flow, name))
        assert abs(float(first.mean()) - (12 * pair.number + 40)) < 1.5
        assert abs(float(second.mean()) - (12 * pair.number + 52)) < 1.5
        assert pair.landmarks().shape == (478, 3)
        assert pair.occlusion().shape == (SIZE, SIZE)
        assert 0 < pair.occlusion().mean() < 0.3
    assert [record["sequence"] for record in read_records(tmp_path)] == ["000001_00"]


def test_the_original_listing_code_finds_the_files(tmp_path):
    """The original code lists each folder sorted by name: n frames, n - 1 flows, a mask per first frame."""
    write(tmp_path, 15)
    here = osp.join("train", "happy", "000001_00")
    images = sorted(glob(osp.join(tmp_path, "image", "facial", here, "*.jpg")))
    facial = sorted(glob(osp.join(tmp_path, "flow", "facial", here, "*.flo")))
    head = sorted(glob(osp.join(tmp_path, "flow", "head", here, "*.flo")))
    masks = sorted(glob(osp.join(tmp_path, "mask", here, "*.npy")))
    assert (len(images), len(facial), len(head), len(masks)) == (15, 14, 14, 14)
    assert [osp.basename(f)[:4] for f in facial] == [osp.basename(f)[:4] for f in images[:-1]]
    assert read_flo(facial[3]).shape == (SIZE, SIZE, 2)
    assert np.load(masks[0]).dtype == np.uint8


def test_original_copies_have_no_labels_and_other_file_names(tmp_path):
    write(tmp_path)
    for old in sorted((tmp_path / "image/facial/train/happy/000001_00").iterdir(), reverse=True):
        old.rename(old.with_name(f"frame{int(old.stem) + 8}.jpg"))  # 8 to 12: not in the order of the alphabet
    (tmp_path / "label/train/happy/000001_00.json").unlink()
    pairs = read_facialflownet(tmp_path)
    assert [p.first.stem for p in pairs] == ["frame8", "frame9", "frame10", "frame11"]
    assert pairs[0].landmarks() is None


def test_incomplete_copies_are_reported(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        read_facialflownet(tmp_path / "nowhere")
    with pytest.raises(FacialFlowNetError, match=r"lacks .*image/facial/train"):
        read_facialflownet(tmp_path)
    write(tmp_path)
    write(tmp_path, sequence="000002_00")
    with pytest.raises(ValueError, match="no split 'dev'"):
        read_facialflownet(tmp_path, "dev")
    with pytest.raises(FacialFlowNetError, match="val"):
        read_facialflownet(tmp_path, "val")
    (tmp_path / "flow/head/train/happy/000002_00/0002.flo").unlink()
    with pytest.raises(
        FacialFlowNetError, match=r"1 incomplete sequences: train/happy/000002_00: 5 frames need 4 flows.*3 head"
    ):
        read_facialflownet(tmp_path)
    assert len(read_facialflownet(tmp_path, incomplete="skip")) == 4


def test_damaged_files_are_reported(tmp_path):
    write(tmp_path)
    pair = read_facialflownet(tmp_path)[1]
    content = pair.facial.read_bytes()
    pair.facial.write_bytes(content[: len(content) // 2])
    with pytest.raises(FacialFlowNetError, match="pair 1"):
        pair.load()
    pair.facial.write_bytes(content)
    pair.first.write_bytes(b"no picture")
    with pytest.raises(FacialFlowNetError, match="not a readable image"):
        pair.load()
