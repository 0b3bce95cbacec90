"""The row that a classifier gets of each clip of a flow folder: features of its flow, or of its frames.

Features of a clip by itself (:class:`mer.models.PerClip`) are computed here, once and ahead of the folds; nothing is
fitted.
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

SEES = {"clip": "gray frames", "pair": "onset and apex in color"}  # what is no flow, in words


def read_rows(
    samples: pd.DataFrame, folder: Path, component: str, features: PerClip | None, track: Track | None = None
) -> tuple[np.ndarray, pd.DataFrame, str]:
    """The row of each clip of a flow folder.

    One full-size field is in memory at a time where there are `features`.

    Parameters
    ----------
    samples : DataFrame
        Rows of a samples table, with a column `class`; the index counts from 0.
    folder : Path
        The flow folder.
    component : {"expression", "facial", "head"}
        Which flow, for features of flow.
    features : PerClip or None
        What makes a row of flow in interocular distances, of gray frames or of onset and apex, as it
        :attr:`~mer.models.PerClip.input_kind`; None takes the flow as it is.
    track : function, optional
        `track(items, total, what)` yields `items` and shows progress.

    Returns
    -------
    rows : (n, d)
        With rows of zeros for the clips that failed.
    failed : DataFrame
        Those clips, with `status` and `message`.
    sha256 : str
        Of the fields or frames, in whatever order the table has them.
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
            field, given = _given(folder / clip["path"], component, scales[i], features)
            row = given.ravel() if features is None else features.transform(given[None])[0]
        except FileNotFoundError:
            failures[i] = ("unreadable", f"{folder / clip['path']} is not there")
            continue
        except (OSError, ValueError) as error:
            failures[i] = ("unreadable", str(error))
            continue
        digests.append(hashlib.sha256(field.tobytes() + np.float64(scales[i]).tobytes()).digest())
        rows[-1] = row
    _refuse_odd_sizes(rows, failures)
    failed = samples.loc[list(failures), [*KEY, "class"]]
    failed["status"], failed["message"] = [*zip(*failures.values())] or [(), ()]
    whole = hashlib.sha256(b"".join(sorted(digests))).hexdigest()
    blank = np.zeros(next((len(row) for row in rows if row is not None), 0), np.float32)
    return np.stack([blank if row is None else row for row in rows]), failed, whole


def _given(path: Path, component: str, scale: float, features: PerClip | None) -> tuple[np.ndarray, np.ndarray]:
    """What is stored of one clip, and what its features are computed from."""
    sees = "flow" if features is None else features.input_kind
    if sees == "clip":
        frames = load_clip(path)
        return frames, resample_time(frames, features.frames)  # type: ignore[union-attr,arg-type]
    if sees == "pair":
        pair = load_pair(path)
        return pair, pair
    field = load_component(path, component)
    return field, field / np.float32(scale)


def _refuse_odd_sizes(rows: list[np.ndarray | None], failures: dict[int, tuple[str, str]]) -> None:
    """Where most rows have one length, those of another have failed; `ValueError` where no length is that of most."""
    lengths = Counter(len(row) for row in rows if row is not None)
    if len(lengths) < 2:
        return
    (usual, n), (other, _) = lengths.most_common(2)
    if 2 * n <= lengths.total():
        raise ValueError(f"the flows differ in size ({usual} and {other} values); extract them with one --size")
    for i, row in enumerate(rows):
        if row is not None and len(row) != usual:
            failures[i] = ("unreadable", f"its flow has {len(row)} values, the others have {usual}: another size")
            rows[i] = None


def _scales(samples: pd.DataFrame) -> np.ndarray:
    """Pixels per interocular distance of each clip `(n,)`; ones where no clip has any."""
    ok = samples["status"] == "ok"
    known = samples["scale"] > 0
    if not known[ok].any():
        return np.ones(len(samples))
    if not known[ok].all():
        row = samples[ok & ~known].iloc[0]
        raise ValueError(f"{row['path']} has no scale and others have one; give every clip a scale, or none")
    return samples["scale"].to_numpy()
