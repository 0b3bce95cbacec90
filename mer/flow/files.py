"""Flow on disk: `.npz` as mer writes it, and Middlebury `.flo`."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import IO

import numpy as np

from mer.flow.field import Field, Flow, check_field
from mer.utils.atomic_files import write_whole

COMPONENTS = ("facial", "head", "expression")
LARGEST = 1 << 30  # bytes that a flow file may unpack to; a small one can be made to unpack to any size
_FLO_TAG = 202021.25  # Baker et al., "A database and evaluation methodology for optical flow", IJCV 2011


def save_flow(path: str | Path, flow: Flow) -> None:
    """Write `facial`, `head`, `expression` and `mask` to an `.npz`, whole or not at all."""
    with write_whole(path, "wb") as file:
        np.savez(file, facial=flow.facial, head=flow.head, expression=flow.expression, mask=flow.mask)


def load_flow(path: str | Path) -> Flow:
    """Read an `.npz` that :func:`save_flow` wrote. `ValueError` says what is wrong with a damaged one."""
    arrays = _load_arrays(path, (*COMPONENTS, "mask"))
    fields = {name: check_field(arrays[name], f"{path}: {name}") for name in COMPONENTS}
    if len({fields[name].shape for name in COMPONENTS}) > 1 or arrays["mask"].shape != fields["facial"].shape[:2]:
        raise ValueError(f"{path}: its arrays differ in size: { {k: v.shape for k, v in arrays.items()} }")
    return Flow(**fields, mask=(arrays["mask"] != 0).astype(np.uint8))


def load_component(path: str | Path, component: str = "expression") -> Field:
    """Read one of `facial`, `head` and `expression`, float32 `(H, W, 2)`, without touching the others."""
    if component not in COMPONENTS:
        raise ValueError(f"no flow component {component!r}; there are {', '.join(COMPONENTS)}")
    return check_field(_load_arrays(path, (component,))[component], f"{path}: {component}")


def is_flow_file(path: str | Path, size: int) -> bool:
    """Whether an `.npz` of :func:`save_flow` is there, of full length and with flow of `size` x `size` pixels.

    A look at its directory and at the heads of its arrays, which is quick; their content is not read.
    """
    shapes = {**dict.fromkeys(COMPONENTS, (size, size, 2)), "mask": (size, size)}
    try:
        with zipfile.ZipFile(path) as archive:
            for name, shape in shapes.items():
                with archive.open(f"{name}.npy") as file:
                    if _head(file)[0] != shape:
                        return False
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, NotImplementedError):
        return False
    return True


def _head(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and type from the head of an `.npy`; `ValueError` where it is none."""
    version = np.lib.format.read_magic(file)
    read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version not in read:
        raise ValueError(f"an array in version {version}")
    shape, _, dtype = read[version](file)
    return shape, dtype


def _load_arrays(path: str | Path, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            if sum(member.file_size for member in archive.zip.infolist()) > LARGEST:
                raise ValueError("it would unpack to more than a flow can be")
            missing = [name for name in names if name not in archive]
            arrays = {name: archive[name] for name in names if name not in missing}
    except FileNotFoundError:
        raise
    except Exception as error:  # zipfile, zlib and NumPy have a dozen kinds for damaged bytes
        raise ValueError(f"{path}: not a readable flow file ({error})") from error
    if missing:
        raise ValueError(f"{path}: no array {missing[0]!r} in it; was it written by mer?")
    return arrays


def write_flo(path: str | Path, field: np.ndarray) -> None:
    """Write `(H, W, 2)` flow, pixels, x first, as Middlebury `.flo`."""
    field = check_field(field, str(path))
    height, width, _ = field.shape
    with write_whole(path, "wb") as file:
        file.write(np.array([_FLO_TAG], "<f4").tobytes())
        file.write(np.array([width, height], "<i4").tobytes())
        file.write(field.astype("<f4").tobytes())


def read_flo(path: str | Path) -> Field:
    """Read Middlebury `.flo` as float32 `(H, W, 2)`, pixels, x first."""
    data = Path(path).read_bytes()
    if len(data) < 12 or np.frombuffer(data, "<f4", 1)[0] != np.float32(_FLO_TAG):
        raise ValueError(f"{path}: not a .flo file")
    width, height = (int(n) for n in np.frombuffer(data, "<i4", 2, offset=4))
    if width < 1 or height < 1 or len(data) != 12 + 8 * width * height:
        raise ValueError(f"{path}: {len(data)} bytes do not hold a flow of {width} x {height}")
    return check_field(np.frombuffer(data, "<f4", offset=12).reshape(height, width, 2), str(path))
