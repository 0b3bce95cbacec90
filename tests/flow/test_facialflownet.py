"""FacialFlowNet's layout is written and read as by the original code."""

from __future__ import annotations

from glob import glob
from os import path as osp

import cv2
import numpy as np
import pytest

from mer.flow import Flow, read_flo, write_flo
from mer.flow.facialflownet import FacialFlowNetError, read_facialflownet, read_records, write_sequence

SIZE = 24
SEQUENCE = "train/happy/000001_00"
PARTS = ("image/facial", "flow/facial", "flow/head", "mask")


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
    for part in PARTS:
        for old in sorted((tmp_path / part / SEQUENCE).iterdir(), reverse=True):
            old.rename(old.with_name(f"frame{int(old.stem) + 8}{old.suffix}"))  # 8 to 12: not in alphabetical order
    (tmp_path / "label/train/happy/000001_00.json").unlink()
    pairs = read_facialflownet(tmp_path)
    assert [p.first.stem for p in pairs] == ["frame8", "frame9", "frame10", "frame11"]
    assert [p.head.stem for p in pairs] == ["frame8", "frame9", "frame10", "frame11"]
    assert pairs[0].landmarks() is None


def test_incomplete_copies_are_reported(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        read_facialflownet(tmp_path / "nowhere")
    with pytest.raises(FacialFlowNetError, match=r"lacks .*image/facial/train"):
        read_facialflownet(tmp_path)
    write(tmp_path)
    write(tmp_path, sequence="000002_00")
    with pytest.raises(ValueError, match="unknown split 'dev'"):
        read_facialflownet(tmp_path, "dev")
    with pytest.raises(FacialFlowNetError, match="val"):
        read_facialflownet(tmp_path, "val")
    (tmp_path / "flow/head/train/happy/000002_00/0002.flo").unlink()
    with pytest.raises(
        FacialFlowNetError, match=r"1 incomplete sequences: train/happy/000002_00: no head flow 2\. Complete"
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
    with pytest.raises(FacialFlowNetError, match="not a readable picture"):
        pair.load()


@pytest.mark.parametrize(
    ("removed", "message"),
    [
        (["image/facial/0002.jpg"], "no frame 2"),
        (["image/facial/0000.jpg"], "no frame 0"),
        (["image/facial/0004.jpg"], "no frame 4"),
        (["flow/facial/0001.flo"], "no facial flow 1"),
        (["flow/head/0003.flo"], "no head flow 3"),
        (["mask/0001.npy"], "no mask 1"),
        (["mask/0001.npy", "mask/0003.npy"], "no mask 1 and 1 more"),
        (
            ["image/facial/0002.jpg", "flow/facial/0003.flo", "flow/head/0003.flo"],
            "no frame 2, no facial flow 3, no head",
        ),
        (
            ["image/facial/0000.jpg", "flow/facial/0003.flo", "flow/head/0003.flo", "mask/0003.npy"],
            "no frame 0, no fac",
        ),
        ([f"flow/head/{k:04d}.flo" for k in range(4)], r"no head flows in .*; expected \.flo"),
        ([f"image/facial/{k:04d}.jpg" for k in range(5)], r"no frames in .*; expected .*\.jpg, .*\.png"),
        ([f"flow/facial/{k:04d}.flo" for k in range(4)], "no facial flows"),
    ],
)
def test_a_gap_makes_a_sequence_incomplete_even_if_the_counts_fit(tmp_path, removed, message):
    write(tmp_path)
    write(tmp_path, sequence="000002_00")
    for name in removed:
        part, file = name.rsplit("/", 1)
        (tmp_path / part / SEQUENCE / file).unlink()
    with pytest.raises(FacialFlowNetError, match=f"1 incomplete sequences: {SEQUENCE}: {message}"):
        read_facialflownet(tmp_path)
    assert {p.sequence for p in read_facialflownet(tmp_path, incomplete="skip")} == {"000002_00"}


@pytest.mark.parametrize("part", PARTS)
def test_a_sequence_that_lacks_a_folder_is_incomplete(tmp_path, part):
    write(tmp_path)
    write(tmp_path, sequence="000002_00")
    for file in (tmp_path / part / SEQUENCE).iterdir():
        file.unlink()
    (tmp_path / part / SEQUENCE).rmdir()
    with pytest.raises(FacialFlowNetError, match="1 incomplete sequences: train/happy/000001_00: no "):
        read_facialflownet(tmp_path)


def test_two_files_with_one_number_are_refused(tmp_path):
    write(tmp_path)
    frame = tmp_path / "image/facial" / SEQUENCE / "0001.jpg"
    frame.with_name("1.png").write_bytes(frame.read_bytes())
    with pytest.raises(FacialFlowNetError, match=r"0001\.jpg and 1\.png are both frame 1"):
        read_facialflownet(tmp_path)


def test_hidden_and_foreign_files_and_a_mask_of_the_last_frame_do_no_harm(tmp_path):
    write(tmp_path)
    for name in ("._0001.jpg", "Thumbs.db", "notes.txt"):
        (tmp_path / "image/facial" / SEQUENCE / name).write_bytes(b"")
    (tmp_path / "mask/train/happy/.cache").mkdir()
    np.save(tmp_path / "mask" / SEQUENCE / "0004.npy", np.ones((SIZE, SIZE), np.uint8))
    assert len(read_facialflownet(tmp_path)) == 4


@pytest.mark.parametrize("suffix", [".png", ".PNG", ".JPG", ".jpeg", ".JPEG", ".bmp", ".BMP", ".tif"])
def test_frames_of_other_formats_are_read(tmp_path, suffix):
    write(tmp_path)
    for old in list((tmp_path / "image/facial" / SEQUENCE).iterdir()):
        image = cv2.imread(str(old))
        old.unlink()
        old.with_suffix(suffix).write_bytes(cv2.imencode(suffix.lower(), image)[1].tobytes())
    for part in PARTS[1:]:
        for old in list((tmp_path / part / SEQUENCE).iterdir()):
            old.rename(old.with_suffix(old.suffix.upper()))
    pairs = read_facialflownet(tmp_path)
    assert [abs(float(pair.load()[1].mean()) - (12 * pair.number + 52)) < 1.5 for pair in pairs] == [True] * 4


@pytest.mark.parametrize(
    "change",
    [
        lambda mask: mask * 255,
        lambda mask: mask.astype(bool),
        lambda mask: mask[..., None],
        lambda mask: mask[None],
        lambda mask: mask.astype(np.float64),
        lambda mask: mask.astype(">i4"),
        np.asfortranarray,
    ],
)
def test_masks_of_other_types_and_shapes_are_read(tmp_path, change):
    flow = write(tmp_path)[1]
    pair = read_facialflownet(tmp_path)[1]
    np.save(pair.mask, change(flow.mask))
    mask = pair.load()[2].mask
    assert mask.dtype == np.uint8
    np.testing.assert_array_equal(mask, flow.mask)


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (np.ones((SIZE, SIZE, 3)), "the mask is .*24, 24, 3"),
        (np.ones((SIZE, SIZE + 1)), "the mask is"),
        (np.full((SIZE, SIZE), np.nan), r"0001\.npy: expected a mask of numbers"),
        (np.full((SIZE, SIZE), "a"), r"0001\.npy: expected a mask of numbers"),
        (np.full((SIZE, SIZE), None), "pair 1"),
    ],
)
def test_an_unusable_mask_is_reported(tmp_path, mask, message):
    write(tmp_path)
    pair = read_facialflownet(tmp_path)[1]
    np.save(pair.mask, mask)
    with pytest.raises(FacialFlowNetError, match=message):
        pair.load()
    content = pair.mask.read_bytes()
    pair.mask.write_bytes(content[: len(content) // 2])
    with pytest.raises(FacialFlowNetError, match="pair 1"):
        pair.load()


@pytest.mark.parametrize("part", ["facial", "head"])
@pytest.mark.parametrize("value", [1.666666752e9, -1e10, np.nan, np.inf])
def test_unknown_flow_is_refused(tmp_path, part, value):
    write(tmp_path)
    pair = read_facialflownet(tmp_path)[1]
    content = bytearray(getattr(pair, part).read_bytes())
    content[12:16] = np.float32(value).tobytes()
    getattr(pair, part).write_bytes(content)
    with pytest.raises(
        FacialFlowNetError, match=rf"pair 1: .*{part}.*0001\.flo has 1 values that .* mark unknown flow"
    ):
        pair.load()


def test_flow_of_another_size_than_the_frames_is_reported(tmp_path):
    write(tmp_path)
    pair = read_facialflownet(tmp_path)[0]
    half = np.zeros((SIZE // 2, SIZE // 2, 2), np.float32)
    write_flo(pair.facial, half)
    with pytest.raises(FacialFlowNetError, match="facial and head flow differ in shape"):
        pair.load()
    write_flo(pair.head, half)
    np.save(pair.mask, np.ones((SIZE // 2, SIZE // 2), np.uint8))
    with pytest.raises(
        FacialFlowNetError, match=r"frames of \(24, 24\) and \(24, 24\) pixels with a flow of \(12, 12\)"
    ):
        pair.load()


def test_landmarks_and_occlusion_must_be_those_of_all_frames(tmp_path):
    write(tmp_path)
    pairs = read_facialflownet(tmp_path)
    labels = pairs[0].label.with_suffix(".npz")
    with np.load(labels) as archive:
        arrays = dict(archive)
    np.savez(labels, **{**arrays, "occlusion": np.delete(arrays["occlusion"], 1, axis=0)})
    for read in (pairs[2].landmarks, pairs[2].occlusion):
        with pytest.raises(FacialFlowNetError, match="pair 2: landmarks of 5 frames and occlusion of 3 pairs"):
            read()
    np.savez(labels, landmarks=arrays["landmarks"][:3], occlusion=arrays["occlusion"][:2], width=arrays["width"])
    assert pairs[1].landmarks().shape == (478, 3)
    with pytest.raises(FacialFlowNetError, match="pair 2: landmarks of 3 frames"):
        pairs[2].landmarks()
    labels.write_bytes(b"PK")
    with pytest.raises(FacialFlowNetError, match="happy/000001_00, pair 0"):
        pairs[0].occlusion()
    labels.unlink()
    with pytest.raises(FacialFlowNetError, match=r"pair 0: .*000001_00\.npz"):
        pairs[0].landmarks()
