"""One feature vector per clip of a flow folder, computed from its flow or its frames.

Only features of single clips (:class:`mer.models.PerClip`) are computed here, once for all folds. Nothing is fitted.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd

from mer.datasets.samples import KEY, STATUSES
from mer.extraction.frame_files import load_clip, load_pair
from mer.features import resample_time
from mer.flow import load_component
from mer.models import PerClip
from mer.utils.progress import Track

INPUTS = {"clip": "gray frames", "pair": "onset and apex in color"}  # `PerClip.input_kind` in words, except for flow


def read_rows(
    samples: pd.DataFrame, folder: Path, component: str, features: PerClip | None, track: Track | None = None
) -> tuple[np.ndarray, pd.DataFrame, str]:
    """Read one feature vector per clip of a flow folder.

    With `features`, only one full-size field is in memory at a time.

    Parameters
    ----------
    samples : DataFrame
        Rows of a samples table, with a column `class`; the index is 0, 1, ...
    folder : Path
        The flow folder.
    component : {"expression", "facial", "head"}
        The flow to read, for features of flow.
    features : PerClip or None
        Computes a vector from the flow in interocular distances, the gray frames, or the onset and apex; which of
        them is :attr:`~mer.models.PerClip.input_kind`. None returns the flattened flow.
    track : function, optional
        `track(items, total, what)` yields `items` and shows progress.

    Returns
    -------
    rows : (n, d)
        Zeros for the clips that failed.
    failed : DataFrame
        The clips that failed, with `status` and `message`.
    sha256 : str
        Hash of the fields or frames that were read, whatever their order in the table.

    Raises
    ------
    ValueError
        If only some clips have a scale, or no single size is that of most clips.
    """
    scales = _scales(samples)
    rows: list[np.ndarray | None] = []
    failures: dict[int, tuple[str, str]] = {}
    digests: list[bytes] = []
    records = samples.to_dict("records")
    for i, clip in enumerate(track(records, len(records), "reading flow") if track else records):
        rows.append(None)
        if clip["status"] != "ok":
            failures[i] = (clip["status"], clip["message"] or STATUSES.get(clip["status"], "no flow"))
            continue
        try:
            stored, scaled = _load(folder / clip["path"], component, scales[i], features)
            row = scaled.ravel() if features is None else features.transform(scaled[None])[0]
        except FileNotFoundError:
            failures[i] = ("unreadable", f"{folder / clip['path']} is missing")
            continue
        except (OSError, ValueError) as error:
            failures[i] = ("unreadable", str(error))
            continue
        digests.append(hashlib.sha256(stored.tobytes() + np.float64(scales[i]).tobytes()).digest())
        rows[-1] = row
    _fail_odd_sizes(rows, failures)
    failed = samples.loc[list(failures), [*KEY, "class"]]
    failed["status"], failed["message"] = [*zip(*failures.values())] or [(), ()]
    sha256 = hashlib.sha256(b"".join(sorted(digests))).hexdigest()
    blank = np.zeros(next((len(row) for row in rows if row is not None), 0), np.float32)
    return np.stack([blank if row is None else row for row in rows]), failed, sha256


def _load(path: Path, component: str, scale: float, features: PerClip | None) -> tuple[np.ndarray, np.ndarray]:
    """The array stored for one clip, and the same as input of its features."""
    kind = "flow" if features is None else features.input_kind
    if kind == "clip":
        frames = load_clip(path)
        return frames, resample_time(frames, features.frames)  # type: ignore[union-attr,arg-type]
    if kind == "pair":
        pair = load_pair(path)
        return pair, pair
    field = load_component(path, component)
    return field, field / np.float32(scale)


def _fail_odd_sizes(rows: list[np.ndarray | None], failures: dict[int, tuple[str, str]]) -> None:
    """Fail the rows whose length is not that of most; `ValueError` if no length is that of most."""
    lengths = Counter(len(row) for row in rows if row is not None)
    if len(lengths) < 2:
        return
    (usual, n), (other, _) = lengths.most_common(2)
    if 2 * n <= lengths.total():
        raise ValueError(f"the flows differ in size ({usual} and {other} values); extract them with one --size")
    for i, row in enumerate(rows):
        if row is not None and len(row) != usual:
            failures[i] = ("unreadable", f"its flow has another size: {len(row)} values, the others have {usual}")
            rows[i] = None


def _scales(samples: pd.DataFrame) -> np.ndarray:
    """Pixels per interocular distance of each clip `(n,)`; ones if no clip has a scale."""
    ok = samples["status"] == "ok"
    scaled = samples["scale"] > 0
    if not scaled[ok].any():
        return np.ones(len(samples))
    if not scaled[ok].all():
        row = samples[ok & ~scaled].iloc[0]
        raise ValueError(f"{row['path']} has no scale, but other clips have one; give all clips a scale, or none")
    return samples["scale"].to_numpy()
