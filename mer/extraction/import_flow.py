"""Somebody else's published images of u, v and strain, with their table, as a flow folder.

The form that most such sets have is that of STSTNet (Liong et al., FG 2019): an image a clip, with u, v and optical
strain in its three channels, and each channel of each image stretched to 0..255 by its own smallest and largest value.
That discards how strong the motion was, which value meant no motion, and how long u is beside v. What can be had again
is the form of the field: the median of a channel stands for no motion, since most of a face is still.
"""

from __future__ import annotations

import hashlib
import platform
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd

from mer._version import __version__
from mer.datasets.identifiers import database_name, subject_name
from mer.datasets.samples import SamplesError, conform, write_samples
from mer.extraction.flow_folder import (
    command,
    earlier_run,
    flow_path,
    read_run,
    refuse_equal_paths,
    refuse_foreign,
    versions,
)
from mer.extraction.import_table import read_table
from mer.utils.atomic_files import write_json, write_whole
from mer.utils.folder_lock import lock_folder
from mer.utils.progress import Track

ORDERS = {"rgb": (0, 1, 2), "bgr": (2, 1, 0)}  # where u, v and strain stand among red, green and blue
SCALINGS = {
    "minmax": "Each channel of each image was stretched to 0..255 by itself: how strong the motion was, which value "
    "was no motion and thereby its sign, and how long u was beside v are lost. The median of a channel stands for no "
    "motion, and its whole range is one unit.",
    "centered": "128 is no motion in every image, and one level is the same motion in all; the unit is one level.",
}
LOST = {"minmax": ["scale", "sign", "zero"], "centered": ["scale"]}
SUFFIXES = (".png", ".bmp", ".jpg", ".jpeg", ".tif", ".tiff")


def import_flow(
    images: str | Path,
    table: str | Path,
    out: str | Path = "flows",
    *,
    order: str = "rgb",
    scaling: str = "minmax",
    dataset: str = "",
    columns: dict[str, str] | None = None,
    labels: dict[str, str] | None = None,
    overwrite: bool = False,
    track: Track | None = None,
    warn: Callable[[str], None] | None = None,
) -> pd.DataFrame:
    """Write a flow folder from images of flow and a table that names their clips.

    `expression` is the only flow that there is: `facial` is the same, `head` is zero. Each `.npz` holds one more array,
    `strain`, float32 `(H, W)`, in 0..255 as it was published.

    Parameters
    ----------
    images : str or Path
        A folder of color images of 8 or 16 bits, also in folders of their own. The name of an image tells its clip, as
        `{subject}_{clip}.png`; blanks, upper and lower case and the kind of file don't matter.
    table : str or Path
        A CSV or workbook with a subject, a clip and a label in each row, and if need be a database, an apex and more
        (:func:`mer.extraction.import_table.read_table`).
    out : str or Path
        The flow folder.
    order : {"rgb", "bgr"}
        `rgb`: u is red, v is green and strain is blue, as Pillow reads the image. `bgr`: u is blue and strain is red,
        so that it is OpenCV that reads u, v and strain.
    scaling : {"minmax", "centered"}
        See :data:`SCALINGS`.
    dataset : str
        The database, where the table has no column for it.
    columns : dict, optional
        Column of the samples table -> column of `table`, for headers that are not known.
    labels : dict, optional
        Label of the table -> label to write, such as `{"0": "negative"}`. Others stay what they are.
    overwrite : bool
        Replace an earlier flow folder.
    track, warn : function, optional
        Progress; and one line about each thing that is odd but does no harm.

    Returns
    -------
    DataFrame
        The samples table. A clip without an image has the status `missing_clip`, one whose image cannot be read
        `unreadable`.

    Raises
    ------
    ValueError, FileNotFoundError
        Where the table cannot be read, one clip has several images or rows, or no clip has an image.
    """
    images, table, out = Path(images), Path(table), Path(out)
    if order not in ORDERS or scaling not in SCALINGS:
        raise ValueError(f"order is {' or '.join(ORDERS)}, scaling {' or '.join(SCALINGS)}; found {order}, {scaling}")
    if not images.is_dir():
        raise FileNotFoundError(f"{images} is not a folder of images")
    warn, track = warn or (lambda line: None), track or (lambda items, total, what: items)
    samples, names = read_table(table, dataset, columns, warn)
    samples["label"] = samples["label"].map(lambda label: (labels or {}).get(label, label))
    found = find_images(samples, names, images, warn)
    onsets = samples["onset"].fillna(0)  # in the names of files, where the table has none
    samples["path"] = [flow_path(row) for row in samples.assign(onset=onsets).to_dict("records")]
    refuse_equal_paths(samples)
    record = _record(images, table, found, {"order": order, "scaling": scaling, "labels": labels or {}})
    refuse_foreign(out, overwrite)
    with lock_folder(out):
        _make_room(out, record, overwrite)
        return _write(samples, found, out, record, order, scaling, track, warn)


def _write(
    samples: pd.DataFrame,
    found: list[Path | None],
    out: Path,
    record: dict[str, Any],
    order: str,
    scaling: str,
    track: Track,
    warn: Callable[[str], None],
) -> pd.DataFrame:
    """Write the flow folder; returns its samples table."""
    write_json(out / "run.json", record | {"size": None})  # says whose the folder is, should the run be killed
    sizes = set()
    samples["status"] = "ok"
    for i, image in enumerate(track(found, len(found), "importing")):
        if image is None:
            samples.loc[i, ["status", "message"]] = "missing_clip", f"no image of it in {record['inputs']['images']}"
            continue
        try:
            arrays = _arrays(image, order, scaling)
        except ValueError as error:
            samples.loc[i, ["status", "message"]] = "unreadable", str(error)
            continue
        sizes.add(arrays["mask"].shape)
        with write_whole(out / samples.at[i, "path"], "wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]  # the arrays' names are ours
    if len(sizes) > 1:
        warn(f"the images differ in size, such as {' and '.join(f'{w} x {h}' for h, w in sorted(sizes)[:2])}")
    write_samples(samples, out / "samples.csv")
    write_json(out / "run.json", record | {"size": max(sizes)[0] if len(sizes) == 1 else None})
    return conform(samples)


def find_images(
    samples: pd.DataFrame, names: list[list[str]], folder: Path, warn: Callable[[str], None]
) -> list[Path | None]:
    """The image of each row; None where there is none.

    `names` are those that it may have. Where several images in folders of their own have one name, those in a folder of
    the row's database and person are meant. `SamplesError` where it stays open which one.
    """
    paths = (path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.name[0] != ".")
    files = sorted(path for path in paths if path.is_file())
    if not files:
        raise FileNotFoundError(f"no image in {folder}; expected {', '.join(SUFFIXES)}")
    by_stem: dict[str, list[Path]] = {}
    for file in files:
        by_stem.setdefault(_stem(file.name), []).append(file)
    found: list[Path | None] = []
    rows: dict[Path, str] = {}  # who has which image
    copies: dict[str, Path] = {}
    for row, own in zip(samples.to_dict("records"), names):
        clip = f"{row['dataset']}/{row['subject']}/{row['clip']}"
        stem = next((_stem(name) for name in own if _stem(name) in by_stem), None)
        image = None if stem is None else _the_one(by_stem[stem], row, folder, clip, copies)
        if image is not None and rows.setdefault(image, clip) != clip:
            raise SamplesError(f"{image} is the image of both {rows[image]} and {clip}; put the subject into its name")
        found.append(image)
    if not any(found):
        raise SamplesError(
            f"none of {len(files)} images in {folder} has the name of a clip: the first clip is expected as "
            f"{names[0][0]}.png, the first image is {files[0].name}"
        )
    if copies:
        warn(
            f"{len(copies)} clips have several equal images, of which the first is taken, such as "
            f"{next(iter(copies.values()))}"
        )
    extra = [file for paths in by_stem.values() for file in paths if file not in rows and not set(paths) & set(rows)]
    if extra:
        warn(f"{len(extra)} images belong to no row of the table, such as {extra[0]}")
    return found


def _stem(name: str) -> str:
    """The name in lower case without blanks and without the suffix of an image."""
    bare = re.sub(r"\s", "", name).casefold()
    return next((bare.removesuffix(suffix) for suffix in SUFFIXES if bare.endswith(suffix)), bare)


def _the_one(paths: list[Path], row: dict[str, Any], folder: Path, clip: str, copies: dict[str, Path]) -> Path:
    checks: list[Callable[[str], bool]] = [
        lambda part: database_name(part) == row["dataset"],
        lambda part: subject_name(row["dataset"], part) == row["subject"],
    ]
    for check in checks:
        inside = [path for path in paths if any(map(check, path.relative_to(folder).parts[:-1]))]
        paths = inside or paths
    if len(paths) > 1:
        if len({path.read_bytes() for path in paths}) > 1:
            raise SamplesError(f"{clip} has several images that differ: {' and '.join(map(str, paths[:2]))}; keep one")
        copies[clip] = paths[0]
    return paths[0]


def _arrays(image: Path, order: str, scaling: str) -> dict[str, np.ndarray]:
    """The content of a flow file; `ValueError` for what is not a color image."""
    data = np.fromfile(image, np.uint8)
    if not data.size:
        raise ValueError(f"{image} is empty")
    try:
        pixels = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    except cv2.error:  # such as an image of more pixels than OpenCV reads
        pixels = None
    if pixels is None:
        raise ValueError(f"{image} is not a readable image")
    if pixels.ndim != 3 or pixels.shape[2] < 3:
        raise ValueError(f"{image} is a gray image; u, v and strain are expected in its three channels")
    levels = pixels[..., 2::-1].astype(np.float32)  # OpenCV reads blue, green, red; transparency goes
    if pixels.dtype == np.uint16:
        levels /= 257
    u, v, strain = (levels[..., channel] for channel in ORDERS[order])
    field = np.dstack([u, v])
    zero, unit = (np.median(field, axis=(0, 1)), 255) if scaling == "minmax" else (np.float32(128), 1)
    field = np.ascontiguousarray((field - zero) / unit, np.float32)
    return {
        "facial": field,
        "head": np.zeros_like(field),
        "expression": field,
        "mask": np.ones(field.shape[:2], np.uint8),
        "strain": np.ascontiguousarray(strain),
    }


def _record(images: Path, table: Path, found: list[Path | None], settings: dict[str, Any]) -> dict[str, Any]:
    """What `run.json` holds."""
    digest = hashlib.sha256()
    for path in found:
        digest.update(path.read_bytes() if path else b"")
    scaling = settings["scaling"]
    return {
        "command": command(),
        "versions": {"mer": __version__, "python": platform.python_version(), **versions()},
        "seed": None,  # nothing is drawn at random
        "method": "imported",
        "weights": None,
        "weights_sha256": None,
        "align": "as published",
        "stabilize": None,
        "face": None,
        "import": {
            **settings,
            "lost": LOST[scaling],
            "zero": "the median of each channel of each image" if scaling == "minmax" else "level 128",
            "images": sum(path is not None for path in found),
            "images_sha256": digest.hexdigest(),
            "table_sha256": hashlib.sha256(table.read_bytes()).hexdigest(),
        },
        "inputs": {"images": str(images.resolve()), "table": str(table.resolve())},
        "note": f"The flow was read from published images. {SCALINGS[scaling]} Expression flow stands for facial flow "
        "too; there is no head flow.",
    }


def _make_room(out: Path, record: dict[str, Any], overwrite: bool) -> None:
    """Make sure that no other flows stand in `out`; a second import of the same images may replace the first."""
    run = out / "run.json"
    if run.is_file() and not overwrite:
        earlier = read_run(run)
        if earlier.get("import") != record["import"]:
            raise ValueError(f"{out} holds other flows; choose another --out, or --overwrite")
        return
    earlier_run(out, record, overwrite)
