"""Import published images of u, v and strain, with their table, as a flow folder.

Most published sets have the format of STSTNet (Liong et al., FG 2019): one image per clip, with u, v and optical strain
in its three channels, and each channel of each image stretched to 0..255 by its own minimum and maximum. This discards
the strength of the motion, the value for no motion, and the ratio of u to v. The form of the field can be recovered:
the median of a channel represents no motion, because most of a face is still.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd

from mer.datasets.samples import conform, write_samples
from mer.extraction.flow_folder import (
    command,
    earlier_run,
    flow_path,
    read_run,
    refuse_equal_paths,
    refuse_foreign,
    run_versions,
)
from mer.extraction.image_names import find_images
from mer.extraction.import_table import read_table
from mer.utils.atomic_files import write_json, write_whole
from mer.utils.folder_lock import lock_folder
from mer.utils.progress import Track, untracked

ORDERS = {"rgb": (0, 1, 2), "bgr": (2, 1, 0)}  # positions of u, v and strain among red, green and blue
SCALINGS = {
    "minmax": "Each channel of each image was stretched to 0..255 by itself. The strength of the motion, its sign (the "
    "value for no motion) and the ratio of u to v are lost. The median of a channel represents no motion, and its "
    "range is one unit.",
    "centered": "128 is no motion, and one level is the same motion in every image; the unit is one level.",
}
LOST = {"minmax": ["scale", "sign", "zero"], "centered": ["scale"]}


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
    """Write a flow folder from images of flow and a table of their clips.

    Only `expression` is known: `facial` is the same, and `head` is zero. Each `.npz` holds one more array, `strain`,
    float32 `(H, W)`, 0..255 as published.

    Parameters
    ----------
    images : str or Path
        A folder of color images of 8 or 16 bits, which may have subfolders. The name of an image identifies its clip,
        as `{subject}_{clip}.png`; blanks, case and the file format don't matter.
    table : str or Path
        A CSV or workbook with a subject, a clip and a label in each row, and optionally a database, an apex and more
        (:func:`mer.extraction.import_table.read_table`).
    out : str or Path
        The flow folder.
    order : {"rgb", "bgr"}
        `rgb`: u is red, v is green and strain is blue, as Pillow reads the image. `bgr`: u is blue and strain is red,
        so that OpenCV reads u, v and strain in that order.
    scaling : {"minmax", "centered"}
        See :data:`SCALINGS`.
    dataset : str
        The database, if the table has no column for it.
    columns : dict, optional
        Column of the samples table -> column of `table`, for headers that are not recognized.
    labels : dict, optional
        Label of the table -> label to write, such as `{"0": "negative"}`. Other labels stay unchanged.
    overwrite : bool
        Replace an earlier flow folder.
    track : function, optional
        Wraps the iterator over images, to show progress.
    warn : function, optional
        Receives one line for each harmless irregularity.

    Returns
    -------
    DataFrame
        The samples table. A clip without an image has the status `missing_clip`, a clip with an unreadable image
        `unreadable`.

    Raises
    ------
    ValueError, FileNotFoundError
        If the table cannot be read, a clip has several images or rows, or no clip has an image.
    """
    images, table, out = Path(images), Path(table), Path(out)
    if order not in ORDERS or scaling not in SCALINGS:
        raise ValueError(f"order is {' or '.join(ORDERS)}, scaling {' or '.join(SCALINGS)}; found {order}, {scaling}")
    if not images.is_dir():
        raise FileNotFoundError(f"{images} is not a folder of images")
    warn, track = warn or (lambda line: None), track or untracked
    samples, names = read_table(table, dataset, columns, warn)
    samples["label"] = samples["label"].map(lambda label: (labels or {}).get(label, label))
    found = find_images(samples, names, images, warn)
    onsets = samples["onset"].fillna(0)  # part of the file names; 0 if the table has none
    samples["path"] = [flow_path(row) for row in samples.assign(onset=onsets).to_dict("records")]
    refuse_equal_paths(samples)
    record = _record(images, table, found, {"order": order, "scaling": scaling, "labels": labels or {}})
    refuse_foreign(out, overwrite)
    with lock_folder(out):
        _check_earlier_import(out, record, overwrite)
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
    write_json(out / "run.json", record | {"size": None})  # marks the flow folder even if this run is killed
    sizes = set()
    samples["status"] = "ok"
    for i, image in enumerate(track(found, len(found), "importing")):
        if image is None:
            samples.loc[i, ["status", "message"]] = (
                "missing_clip",
                f"no image of this clip in {record['inputs']['images']}",
            )
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


def _arrays(image: Path, order: str, scaling: str) -> dict[str, np.ndarray]:
    """The arrays of a flow file; `ValueError` if the image is not a readable color image."""
    data = np.fromfile(image, np.uint8)
    if not data.size:
        raise ValueError(f"{image} is empty")
    try:
        pixels = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    except cv2.error:  # for example, more pixels than OpenCV reads
        pixels = None
    if pixels is None:
        raise ValueError(f"{image} is not a readable image")
    if pixels.ndim != 3 or pixels.shape[2] < 3:
        raise ValueError(f"{image} is a gray image; expected u, v and strain in three channels")
    levels = pixels[..., 2::-1].astype(np.float32)  # from blue, green, red; transparency is dropped
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
    """The content of `run.json`."""
    digest = hashlib.sha256()
    for path in found:
        digest.update(path.read_bytes() if path else b"")
    scaling = settings["scaling"]
    return {
        "command": command(),
        "versions": run_versions(),
        "seed": None,  # importing uses no random numbers
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
        "note": f"The flow was read from published images. {SCALINGS[scaling]} Facial flow equals expression flow; "
        "head flow is zero.",
    }


def _check_earlier_import(out: Path, record: dict[str, Any], overwrite: bool) -> None:
    """Make sure that `out` holds no other flows; a second import of the same images may replace the first."""
    run = out / "run.json"
    if run.is_file() and not overwrite:
        earlier = read_run(run)
        if earlier.get("import") != record["import"]:
            raise ValueError(f"{out} holds other flows; choose another --out, or --overwrite")
        return
    earlier_run(out, record, overwrite)
