"""Flow files round-trip bit for bit, and damaged files raise one clear error."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from mer.flow import Flow, is_flow_file, load_component, load_flow, read_flo, save_flow, write_flo


@pytest.fixture
def flow() -> Flow:
    rng = np.random.default_rng(0)
    return Flow.split(rng.normal(size=(7, 9, 2)), rng.normal(size=(7, 9, 2)), rng.random((7, 9)) > 0.5)


def test_npz_round_trip(tmp_path, flow):
    save_flow(tmp_path / "new" / "a.npz", flow)
    read = load_flow(tmp_path / "new" / "a.npz")
    for name in ("facial", "head", "expression", "mask"):
        assert getattr(read, name).dtype == getattr(flow, name).dtype
        assert np.array_equal(getattr(read, name), getattr(flow, name))
    assert np.array_equal(load_component(tmp_path / "new" / "a.npz", "head"), flow.head)
    assert np.array_equal(load_component(tmp_path / "new" / "a.npz"), flow.expression)


def test_npz_holds_plain_arrays(tmp_path, flow):
    save_flow(tmp_path / "a.npz", flow)
    with np.load(tmp_path / "a.npz", allow_pickle=False) as archive:
        assert sorted(archive) == ["expression", "facial", "head", "mask"]


def test_the_same_flow_gives_the_same_bytes(tmp_path, flow):
    for name in ("a", "b"):
        save_flow(tmp_path / f"{name}.npz", flow)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_a_damaged_npz_is_reported(tmp_path, flow):
    save_flow(tmp_path / "a.npz", flow)
    good = (tmp_path / "a.npz").read_bytes()
    rng = np.random.default_rng(0)
    damaged = [good[:n] for n in range(0, len(good), 197)] + [b"", b"PK\x03\x04", bytes(range(256))]
    for _ in range(60):
        copy = bytearray(good)
        for place in rng.integers(len(good), size=3):
            copy[place] ^= int(rng.integers(1, 256))
        damaged.append(bytes(copy))
    refused = 0
    for data in damaged:
        (tmp_path / "b.npz").write_bytes(data)
        try:
            read = load_flow(tmp_path / "b.npz")
        except ValueError as error:
            assert "b.npz" in str(error)  # noqa: PT017  # some damage is harmless, so pytest.raises does not fit
            refused += 1
        else:
            assert np.isfinite(read.expression).all()
    assert refused > 0.5 * len(damaged)


def test_inconsistent_arrays_are_reported(tmp_path, flow):
    path = tmp_path / "a.npz"
    np.savez(path, facial=flow.facial, head=flow.head, expression=flow.expression[:3], mask=flow.mask)
    with pytest.raises(ValueError, match="differ in size"):
        load_flow(path)
    np.savez(path, u=flow.facial[..., 0])
    with pytest.raises(ValueError, match="no array 'expression'"):
        load_component(path)
    np.savez(path, expression=np.array([{"a": 1}], dtype=object))
    with pytest.raises(ValueError, match=r"a\.npz"):
        load_component(path)


def test_npz_errors_name_the_file_or_the_component(tmp_path, flow):
    with pytest.raises(FileNotFoundError, match=r"none\.npz"):
        load_flow(tmp_path / "none.npz")
    with pytest.raises(ValueError, match=r"unknown flow component 'strain'; choose from facial, head, expression$"):
        load_component(tmp_path / "none.npz", "strain")


def test_flo_round_trip(tmp_path, flow):
    write_flo(tmp_path / "a.flo", flow.facial)
    assert np.array_equal(read_flo(tmp_path / "a.flo"), flow.facial)


def test_flo_follows_the_middlebury_layout(tmp_path):
    """The tag, width, height, then u and v in turn, row by row, all little-endian."""
    field = np.arange(12, dtype=np.float32).reshape(2, 3, 2)
    write_flo(tmp_path / "a.flo", field)
    data = (tmp_path / "a.flo").read_bytes()
    assert data[:4] == b"PIEH"
    assert struct.unpack("<ii", data[4:12]) == (3, 2)
    assert struct.unpack("<12f", data[12:]) == tuple(range(12))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PIEH",
        b"PIEH" + struct.pack("<ii", 3, 2),
        b"PIEH" + struct.pack("<ii", 3, 2) + bytes(47),
        b"PIEH" + struct.pack("<ii", 3, 2) + bytes(49),
        b"PIEH" + struct.pack("<ii", -3, -2) + bytes(48),
        b"PIEH" + struct.pack("<ii", 0, 0),
        b"PIEH" + struct.pack("<ii", 0, 3),
        b"PIEH" + struct.pack("<ii", 3, 0),
        b"PIEH" + struct.pack("<ii", 1 << 30, 1 << 30) + bytes(48),
        b"HEIP" + struct.pack("<ii", 3, 2) + bytes(48),
        b"PIEH" + struct.pack("<ii", 3, 2) + b"\xff" * 48,
    ],
)
def test_a_damaged_flo_is_reported(tmp_path, data):
    (tmp_path / "a.flo").write_bytes(data)
    with pytest.raises(ValueError, match=r"a\.flo"):
        read_flo(tmp_path / "a.flo")


def test_a_loaded_mask_holds_zeros_and_ones(tmp_path, flow):
    path = tmp_path / "a.npz"
    arrays = {"facial": flow.facial, "head": flow.head, "expression": flow.expression}
    np.savez(path, **arrays, mask=flow.mask * 255)
    assert np.array_equal(load_flow(path).mask, flow.mask)
    np.savez(path, **arrays, mask=flow.mask[:3])
    with pytest.raises(ValueError, match=r"a\.npz: its arrays differ in size: .*'mask': \(3, 9\)"):
        load_flow(path)
    np.savez(path, **arrays)
    with pytest.raises(ValueError, match="no array 'mask'; was it written by mer"):
        load_flow(path)


def test_load_component_returns_the_requested_component(tmp_path, flow):
    save_flow(tmp_path / "a.npz", flow)
    for name in ("facial", "head", "expression"):
        assert np.array_equal(load_component(tmp_path / "a.npz", name), getattr(flow, name))


def test_is_flow_file_checks_the_size_without_reading_the_content(tmp_path, flow):
    path = tmp_path / "a.npz"
    square = Flow.split(flow.facial[:7, :7], flow.head[:7, :7], flow.mask[:7, :7])
    save_flow(path, square)
    assert is_flow_file(path, 7)
    assert not is_flow_file(path, 8)
    assert not is_flow_file(tmp_path / "none.npz", 7)
    good = path.read_bytes()
    for damaged in (good[:-1], good[: len(good) // 2], b"", b"text"):
        path.write_bytes(damaged)
        assert not is_flow_file(path, 7)
    arrays = {"facial": square.facial, "head": square.head, "expression": square.expression, "mask": square.mask}
    for name in arrays:
        np.savez(path, **{**arrays, name: arrays[name][:6]})
        assert not is_flow_file(path, 7)
        np.savez(path, **{other: array for other, array in arrays.items() if other != name})
        assert not is_flow_file(path, 7)


def test_the_smallest_flo_is_read(tmp_path):
    write_flo(tmp_path / "a.flo", np.ones((1, 1, 2)))
    assert read_flo(tmp_path / "a.flo").shape == (1, 1, 2)
    (tmp_path / "a.flo").write_bytes(b"PIEH" + struct.pack("<ii", 3, 2) + bytes(40))
    with pytest.raises(ValueError, match=r"a\.flo: 52 bytes do not hold a flow of 3 x 2"):
        read_flo(tmp_path / "a.flo")


class Opened:
    """An object that leaves a mark when its pickle is read."""

    def __init__(self, mark: Path):
        self.mark = mark

    def __reduce__(self):
        return Path.touch, (self.mark,)


def test_code_in_a_flow_file_is_not_run(tmp_path):
    np.savez(tmp_path / "a.npz", expression=np.array([Opened(tmp_path / "mark")], dtype=object))
    with pytest.raises(ValueError, match=r"a\.npz: not a readable flow file"):
        load_component(tmp_path / "a.npz")
    assert not (tmp_path / "mark").exists()


def test_the_unpacked_size_is_limited(tmp_path, flow, monkeypatch):
    path = tmp_path / "a.npz"
    save_flow(path, flow)
    with zipfile.ZipFile(path) as archive:
        size = sum(member.file_size for member in archive.infolist())
    monkeypatch.setattr("mer.flow.files.MAX_UNPACKED_BYTES", size)
    assert np.array_equal(load_flow(path).head, flow.head)
    monkeypatch.setattr("mer.flow.files.MAX_UNPACKED_BYTES", size - 1)
    with pytest.raises(ValueError, match=r"\(unpacked, it is larger than any flow file\)$"):
        load_flow(path)


def test_an_invalid_field_is_reported_with_its_name(tmp_path, flow):
    path = tmp_path / "a.npz"
    arrays = {"facial": flow.facial, "head": flow.head, "expression": flow.expression, "mask": flow.mask}
    np.savez(path, **{**arrays, "head": arrays["head"][..., :1]})
    for load in (load_flow, lambda path: load_component(path, "head")):
        with pytest.raises(ValueError, match=rf"^{path}: head"):
            load(path)
    with pytest.raises(ValueError, match=r"^[^\n]*b\.flo"):
        write_flo(tmp_path / "b.flo", flow.facial[..., :1])
    assert not (tmp_path / "b.flo").exists()


def test_npy_headers_of_versions_1_and_2_are_read(tmp_path, flow):
    path = tmp_path / "a.npz"
    arrays = {
        name: np.ascontiguousarray(getattr(flow, name)[:7, :7]) for name in ("facial", "head", "expression", "mask")
    }
    for version, known in (((1, 0), True), ((2, 0), True), ((3, 0), False)):
        with zipfile.ZipFile(path, "w") as archive:
            for name, array in arrays.items():
                with archive.open(f"{name}.npy", "w") as file:
                    np.lib.format.write_array(file, array, version=version)
        assert is_flow_file(path, 7) is known


def test_a_flo_with_only_a_header_is_reported(tmp_path):
    (tmp_path / "a.flo").write_bytes(b"PIEH" + struct.pack("<ii", 3, 2))
    with pytest.raises(ValueError, match=r"a\.flo: 12 bytes do not hold a flow of 3 x 2"):
        read_flo(tmp_path / "a.flo")
    for width, height in ((0, 3), (3, 0)):
        (tmp_path / "a.flo").write_bytes(b"PIEH" + struct.pack("<ii", width, height))
        with pytest.raises(ValueError, match=f"12 bytes do not hold a flow of {width} x {height}"):
            read_flo(tmp_path / "a.flo")
    (tmp_path / "a.flo").write_bytes(b"PIEH1234567")
    with pytest.raises(ValueError, match=r"not a \.flo file"):
        read_flo(tmp_path / "a.flo")


@pytest.mark.parametrize("value", [1e9, -1e9, 1.666666752e9, 1e10, np.nan, -np.inf])
def test_unknown_flow_is_refused_when_it_is_read_or_written(tmp_path, flow, value):
    field = flow.facial.copy()
    field[0, 0, 1] = value
    height, width, _ = field.shape
    (tmp_path / "a.flo").write_bytes(b"PIEH" + struct.pack("<ii", width, height) + field.tobytes())
    np.savez(tmp_path / "a.npz", facial=field, head=flow.head, expression=flow.expression, mask=flow.mask)
    for read in (
        lambda: read_flo(tmp_path / "a.flo"),
        lambda: load_flow(tmp_path / "a.npz"),
        lambda: load_component(tmp_path / "a.npz", "facial"),
        lambda: Flow.split(field, flow.head),
        lambda: write_flo(tmp_path / "b.flo", field),
    ):
        with pytest.raises(ValueError, match="1 values that are not finite or mark unknown flow"):
            read()
    assert not (tmp_path / "b.flo").exists()


def test_a_big_endian_flo_is_read(tmp_path, flow):
    height, width, _ = flow.facial.shape
    data = b"HEIP" + struct.pack(">ii", width, height) + flow.facial.astype(">f4").tobytes()
    (tmp_path / "a.flo").write_bytes(data)
    field = read_flo(tmp_path / "a.flo")
    assert field.dtype == np.float32
    np.testing.assert_array_equal(field, flow.facial)
    (tmp_path / "a.flo").write_bytes(data[:-1])
    with pytest.raises(ValueError, match=f"do not hold a flow of {width} x {height}"):
        read_flo(tmp_path / "a.flo")
