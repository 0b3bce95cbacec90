import struct
import zlib

import cv2
import numpy as np
import pytest

from mer.datasets.pictures import check_pixels, significant_bits
from mer.datasets.video import ClipError, open_clip, read_image


def header_of_png(width: int, height: int) -> bytes:
    """A PNG that claims a size and has no pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    return start + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [32_000, 12_000])
def test_a_picture_of_too_many_pixels_is_refused_before_it_is_decoded(side, tmp_path):
    (tmp_path / "1.png").write_bytes(header_of_png(side, side))
    with pytest.raises(ClipError, match="set MER_MAX_PIXELS"):
        open_clip(tmp_path).frame(1)


def test_the_limit_of_pixels_is_a_setting(monkeypatch):
    check_pixels("a.png", 10_000, 10_000)
    with pytest.raises(ClipError):
        check_pixels("a.png", 10_000, 10_001)
    monkeypatch.setenv("MER_MAX_PIXELS", "1e9")
    check_pixels("a.png", 20_000, 20_000)
    monkeypatch.setenv("MER_MAX_PIXELS", "many")
    with pytest.raises(ValueError, match="expected a number of pixels"):
        check_pixels("a.png", 1, 1)


@pytest.mark.parametrize(
    ("largest", "bits"), [(0, 8), (255, 8), (256, 10), (1023, 10), (4095, 12), (9000, 14), (65535, 16)]
)
def test_significant_bits_of_a_camera(largest, bits):
    assert significant_bits(largest) == bits


@pytest.mark.parametrize("bits", [10, 12, 16])
def test_values_of_16_bits_keep_256_levels_and_are_scaled_alike_in_all_frames(bits, tmp_path):
    ramp = np.tile(np.linspace(0, 2**bits - 1, 256).astype(np.uint16), (8, 1))
    cv2.imwrite(str(tmp_path / "1.tif"), ramp)
    cv2.imwrite(str(tmp_path / "2.tif"), ramp // 4)  # a dark frame is not brightened
    clip = open_clip(tmp_path)
    bright, dark = clip.frame(1), clip.frame(2)
    assert len(np.unique(bright)) == 256
    assert dark.max() == 63
    assert len(clip.notes) == (bits < 16)


def test_pictures_of_one_bit_and_with_transparency_are_read(tmp_path):
    from PIL import Image

    Image.new("1", (8, 8), 1).save(tmp_path / "a.png")
    Image.new("RGBA", (8, 8), (10, 20, 30, 0)).save(tmp_path / "b.png")
    assert read_image(tmp_path / "a.png").min() == 255
    assert read_image(tmp_path / "b.png")[0, 0].tolist() == [10, 20, 30]
