"""Flow files: `.npz` with all components, and Middlebury `.flo`."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import IO

import numpy as np

from mer.flow.field import Field, Flow, check_field
from mer.utils.atomic_files import write_whole

COMPONENTS = ("facial", "head", "expression")
MAX_UNPACKED_BYTES = 1 << 30  # protects against archives that are small but unpack to any size
_FLO_TAG = b"PIEH"  # Baker et al., "A database and evaluation methodology for optical flow", IJCV 2011


def save_flow(path: str | Path, flow: Flow) -> None:
    """Write `facial`, `head`, `expression` and `mask` to an `.npz`; an interrupted write leaves no partial file."""
    with write_whole(path, "wb") as file:
        np.savez(file, facial=flow.facial, head=flow.head, expression=flow.expression, mask=flow.mask)


def load_flow(path: str | Path) -> Flow:
    """Read an `.npz` written by :func:`save_flow`; `ValueError` for a damaged file."""
    arrays = _load_arrays(path, (*COMPONENTS, "mask"))
    fields = {name: check_field(arrays[name], f"{path}: {name}") for name in COMPONENTS}
    if len({fields[name].shape for name in COMPONENTS}) > 1 or arrays["mask"].shape != fields["facial"].shape[:2]:
        raise ValueError(f"{path}: its arrays differ in size: { {k: v.shape for k, v in arrays.items()} }")
    return Flow(**fields, mask=(arrays["mask"] != 0).astype(np.uint8))


def load_component(path: str | Path, component: str = "expression") -> Field:
    """Read only one of `facial`, `head` and `expression`, float32 `(H, W, 2)`; `ValueError` for a damaged file."""
    if component not in COMPONENTS:
        raise ValueError(f"unknown flow component {component!r}; choose from {', '.join(COMPONENTS)}")
    return check_field(_load_arrays(path, (component,))[component], f"{path}: {component}")


def is_flow_file(path: str | Path, size: int) -> bool:
    """Whether `path` is a complete `.npz` from :func:`save_flow` with flow of `size` x `size` pixels.

    Only the archive's directory and the array headers are read, which is quick.
    """
    shapes = {**dict.fromkeys(COMPONENTS, (size, size, 2)), "mask": (size, size)}
    try:
        with zipfile.ZipFile(path) as archive:
            for name, shape in shapes.items():
                with archive.open(f"{name}.npy") as file:
                    if _array_shape(file) != shape:
                        return False
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, NotImplementedError):
        return False
    return True


def _array_shape(file: IO[bytes]) -> tuple[int, ...]:
    """Shape from the header of an `.npy`; `ValueError` if it is not one."""
    version = np.lib.format.read_magic(file)
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version not in readers:
        raise ValueError(f"unknown .npy version {version}")
    return readers[version](file)[0]


def _load_arrays(path: str | Path, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            if sum(member.file_size for member in archive.zip.infolist()) > MAX_UNPACKED_BYTES:
                raise ValueError("unpacked, it is larger than any flow file")
            missing = [name for name in names if name not in archive]
            arrays = {name: archive[name] for name in names if name not in missing}
    except FileNotFoundError:
        raise
    except Exception as error:  # zipfile, zlib and NumPy raise many types for damaged bytes
        raise ValueError(f"{path}: not a readable flow file ({error})") from error
    if missing:
        raise ValueError(f"{path}: no array {missing[0]!r}; was it written by mer?")
    return arrays


def write_flo(path: str | Path, field: np.ndarray) -> None:
    """Write flow `(H, W, 2)` in pixels, x first, as Middlebury `.flo`."""
    field = check_field(field, str(path))
    height, width, _ = field.shape
    with write_whole(path, "wb") as file:
        file.write(_FLO_TAG)
        file.write(np.array([width, height], "<i4").tobytes())
        file.write(field.astype("<f4").tobytes())


def read_flo(path: str | Path) -> Field:
    """Read Middlebury `.flo` as float32 `(H, W, 2)` in pixels, x first.

    Big-endian files are read as well.

    Raises
    ------
    ValueError
        If the file is damaged, or it marks pixels of unknown flow.
    """
    # Unlike cv2.readOpticalFlow, this reads any path on Windows and reports damage.
    data = Path(path).read_bytes()
    order = {_FLO_TAG: "<", _FLO_TAG[::-1]: ">"}.get(data[:4])
    if len(data) < 12 or order is None:
        raise ValueError(f"{path}: not a .flo file")
    width, height = (int(n) for n in np.frombuffer(data, f"{order}i4", 2, offset=4))
    if width < 1 or height < 1 or len(data) != 12 + 8 * width * height:
        raise ValueError(f"{path}: {len(data)} bytes do not hold a flow of {width} x {height}")
    return check_field(np.frombuffer(data, f"{order}f4", offset=12).reshape(height, width, 2), str(path))
