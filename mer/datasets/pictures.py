"""Pictures, and folders of numbered pictures, as RGB frames of 8 bits."""

from __future__ import annotations

import io
import os
import re
import warnings
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

IMAGE_SUFFIXES = {
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".dib", ".tif", ".tiff", ".webp", ".gif", ".jp2", ".avif",
    ".pgm", ".ppm", ".pnm",
}  # fmt: skip
DIGITS = 15  # of a frame number, at most
MAX_PIXELS = 100_000_000  # of a frame; the environment variable MER_MAX_PIXELS replaces it

Image = np.ndarray  # uint8 (H, W, 3), RGB


class ClipError(ValueError):
    """A clip that cannot be read, or a frame that is not in it."""


def check_pixels(source: str | Path, width: int, height: int) -> None:
    """Raise `ClipError` if a frame has too many pixels; a small file can unpack to more than the memory."""
    text = os.environ.get("MER_MAX_PIXELS", "")
    try:
        limit = float(text or MAX_PIXELS)
    except ValueError:
        raise ValueError(f"MER_MAX_PIXELS is {text!r}; expected a number of pixels, such as 100000000") from None
    if width * height > limit:
        raise ClipError(
            f"{source}: {width} x {height} pixels are more than {limit:.0f}; to read it anyway, set MER_MAX_PIXELS"
        )


def frame_files(folder: Path, suffixes: Collection[str] = IMAGE_SUFFIXES) -> dict[int, Path]:
    """Frame number -> file, ascending, of the numbered pictures in a folder; hidden files are ignored.

    `ClipError` if two pictures have the same number, or a number has more than :data:`DIGITS` digits.
    """
    files: dict[int, Path] = {}
    for file in sorted(folder.iterdir()):
        numbers = re.findall(r"\d+", file.stem)
        if file.suffix.lower() not in suffixes or file.name.startswith(".") or not numbers:
            continue
        if len(numbers[-1]) > DIGITS:
            raise ClipError(
                f"{folder}: the number in {file.name} has {len(numbers[-1])} digits, more than a frame number"
            )
        number = int(numbers[-1])
        if number in files:
            raise ClipError(
                f"{folder}: {files[number].name} and {file.name} are both frame {number}; remove one of them"
            )
        files[number] = file
    return dict(sorted(files.items()))


def read_image(file: str | Path) -> Image:
    """A picture as uint8 (H, W, 3), RGB.

    Gray is repeated, transparency is dropped, and EXIF rotation is applied. Values of 16 bits are reduced to 8; see
    :func:`to_8_bits`.
    """
    picture = _decode(file)
    return to_8_bits(picture, significant_bits(int(picture.max())))


def significant_bits(largest: int) -> int:
    """The bits per value of the camera, from the largest value in its frames: 8, 10, 12, 14 or 16."""
    return max(8, (largest.bit_length() + 1) // 2 * 2)


def to_8_bits(values: np.ndarray, bits: int) -> Image:
    """The upper 8 of the significant bits of uint16; uint8 is returned unchanged."""
    return values if values.dtype == np.uint8 else (values >> (bits - 8)).astype(np.uint8)


def stretch_note(bits: int) -> list[str]:
    """The note for frames of 16 bits of which fewer are significant."""
    return [f"16-bit frames with values of {bits} bits; divided by {2 ** (bits - 8)}"] if bits < 16 else []


@dataclass
class Pictures:
    """Numbered pictures, which are decoded when they are read.

    All 16-bit pictures of a folder are stretched alike, by the significant bits of the brightest.
    """

    files: list[Path]
    notes: list[str] = field(default_factory=list)

    def read(self, positions: Sequence[int]) -> Iterator[Image | ClipError]:
        for position in positions:
            try:
                picture = _decode(self.files[position])
            except ClipError as error:
                yield error
            except OSError as error:
                yield ClipError(str(error))
            else:
                yield to_8_bits(picture, self._bits if picture.dtype == np.uint16 else 8)

    @cached_property
    def _bits(self) -> int:
        largest = 0
        for file in self.files:
            try:
                picture = _decode(file)
            except (ClipError, OSError):  # reported when this frame is read
                continue
            if picture.dtype == np.uint16:
                largest = max(largest, int(picture.max()))
            if largest >= 1 << 14:
                break
        bits = significant_bits(largest)
        self.notes += stretch_note(bits)
        return bits


def _decode(file: str | Path) -> np.ndarray:
    """A picture as RGB `(H, W, 3)`, uint8 or uint16."""
    import cv2

    data = np.fromfile(file, np.uint8)  # cv2.imread cannot open every name on Windows
    _check_header(file, data)
    try:
        picture = cv2.imdecode(data, cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH) if data.size else None
    except cv2.error:  # more pixels than OpenCV allows
        picture = None
    if picture is None or picture.dtype not in (np.uint8, np.uint16):
        raise ClipError(f"{file} is not a readable picture; expected 8 or 16 bits per value")
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)


def _check_header(file: str | Path, data: np.ndarray) -> None:
    """Check the size in the header of a picture before it is decoded."""
    import PIL.Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with PIL.Image.open(io.BytesIO(data.data)) as picture:
                size = picture.size
    except PIL.Image.DecompressionBombError:
        size = (1 << 16, 1 << 16)
    except Exception:  # damaged, or unknown to Pillow
        return
    check_pixels(file, *size)
