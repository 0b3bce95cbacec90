"""`mer.analyze`: one video, from its first frame to a report.

Spotted expressions, the flow of each from onset to apex, action units, an emotion; the tables and the flow folder that
other commands take stand beside the page.
"""

from __future__ import annotations

import hashlib
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mer.datasets.action_units import FACS_NAMES
from mer.datasets.samples import conform, write_samples
from mer.datasets.video import Clip, open_clip
from mer.datasets.video_folder import DATASET
from mer.extraction.flow_folder import earlier_run, flow_path, run_record
from mer.extraction.methods import DEFAULT_METHOD, Method, check_method, estimate_flow
from mer.extraction.settings import FACES
from mer.extraction.settings import ExtractionSettings as Settings
from mer.face import align as align_face
from mer.face import crop, detect_faces, transform
from mer.flow import Flow, save_flow
from mer.models.action_unit_reader import UNITS_READ, action_units
from mer.models.emotion_reader import Reader, load_reader
from mer.spotting import Spotting, spot
from mer.spotting.video_page import Shown, render_video_report
from mer.spotting.viewer_data import Expression, make_view
from mer.utils.atomic_files import write_json, write_whole
from mer.utils.folder_lock import lock_folder
from mer.utils.progress import Track

SHOWN = 40  # expressions with pictures in the report, the strongest; the tables and the flow folder have all
TIMES = ("onset_time", "apex_time", "offset_time", "seconds")
FRAMES_A_SECOND = 60  # below which the shortest micro-expressions are a few frames
EYES = 60  # pixels between the outer corners, below which the skin's small motions drown


@dataclass(frozen=True, eq=False)
class Analysis:
    """What was found in a video.

    Attributes
    ----------
    intervals : DataFrame
        One row an expression: `subject, clip, onset, apex, offset` (frames), `onset_time, apex_time, offset_time,
        seconds, kind, strength` as :func:`mer.spot` gives them, `emotion`, `p_<class>` for each class of the model,
        `status, message, scale` as in a samples table, and `path`, the flow file. It also serves `mer extract-flow` as
        `--annotations`.
    units : DataFrame
        One row an expression and action unit: `onset, unit, name, intensity, left, right`.
    curve : DataFrame
        One row a frame that was looked at; see :class:`mer.spotting.Spotting`.
    fps : float
    record : dict
        What decides the results: command, settings, versions, hashes, the model, notes. In `run.json`.
    folder : Path
        Where all of it was written.
    """

    intervals: pd.DataFrame
    units: pd.DataFrame
    curve: pd.DataFrame
    fps: float
    record: dict[str, Any]
    folder: Path

    @property
    def report(self) -> Path:
        return self.folder / "report.html"


def analyze(
    video: str | Path,
    out: str | Path | None = None,
    *,
    model: str | Path | None = None,
    method: Method | None = None,
    fps: float | None = None,
    face: str = "largest",
    align: str | None = None,
    size: int | None = None,
    with_faces: bool = True,
    device: str = "auto",
    track: Track | None = None,
) -> Analysis:
    """Spot the expressions of a video, measure each, read it, and write a report.

    Parameters
    ----------
    video : str or Path
        A video file, or a folder of numbered frames.
    out : str or Path, optional
        The folder to write: `report.html`, `intervals.csv`, `units.csv`, `curve.csv`, `run.json` and the flow folder
        `flows`; `analysis/<name of the video>` by default.
    model : str or Path, optional
        A file of `mer train classifier`. Without one, the networks that come with mer read three classes; they have
        seen rendered faces alone, and no labeled clip (`docs/zero_shot.md`).
    method, align, size : optional
        As :func:`mer.extract_flow` takes them; by default as the model's own clips were made, or else `decflow`,
        `mediapipe` and 224.
    fps : float, optional
        Frames a second, for a folder of frames, and where a file says it wrongly.
    face : {"largest", "left", "right"}
        Whom to follow where there are several.
    with_faces : bool
        Whether the report shows the frames. Leave them out before passing on a report of somebody else's face.
    device : str
        `auto`, `cpu` or `cuda`, for flow methods that are networks.
    track : function, optional
        Wraps iterators, to show progress.

    Raises
    ------
    ValueError
        For a video that cannot be read, or one without any face; for unknown names.
    FileNotFoundError

    Examples
    --------
    >>> found = mer.analyze("me.mp4")                                # doctest: +SKIP
    >>> found.intervals[["onset", "apex", "offset", "emotion"]]      # doctest: +SKIP
    """
    video, reader = Path(video), load_reader(model)
    made = reader.record.get("flow") or {}
    settings = Settings(
        method or made.get("method") or DEFAULT_METHOD, align or made.get("align") or "mediapipe",
        size or made.get("size") or 224, face=face, device=device,
    )  # fmt: skip
    check_method(settings.method)
    folder = Path("analysis") / video.stem if out is None else Path(out)
    with lock_folder(folder):
        spotted = spot(video, fps=fps, face=face, align=settings.align, device=device, track=track)
        if not spotted.keys:
            raise ValueError(
                f"no face was found in {video}; it should be frontal, and a tenth of the picture wide or more"
            )
        clip = open_clip(video)

        table = _begin(folder / "flows", video, spotted, settings)
        strongest = set(table["strength"].astype(float).nlargest(SHOWN).index)
        rows: list[dict[str, Any]] = []
        units: list[dict[str, Any]] = []
        shown: list[Shown] = []
        seen = _faces_in(clip, spotted.keys[0].number, settings)
        items = table.to_dict("records")
        for k, row in enumerate(track(items, len(items), "expressions") if track and items else items):
            measured, count = _measure(clip, row, spotted, settings)
            seen = max(seen, count)
            if measured is None:
                rows.append(row | {"status": "no_face", "message": f"no face in frame {row['onset']}"})
                continue
            save_flow(folder / "flows" / row["path"], measured.flow)
            scale = measured.alignment.scale
            read = _units(measured.flow, scale)
            answer, chances = reader.read(measured.flow, scale, measured.crops)
            rows.append(
                row | {"status": "ok", "scale": round(scale, 4), "emotion": answer}
                | {f"p_{name}": round(chance, 4) for name, chance in chances.items()}
            )  # fmt: skip
            units += [{"onset": row["onset"]} | unit for unit in read]
            if k in strongest:
                shown.append(Shown(k, measured, read))

        intervals = _intervals(rows, reader)
        tables = {
            "intervals": intervals,
            "units": pd.DataFrame(units, columns=["onset", "unit", "name", "intensity", "left", "right"]),
            "curve": spotted.curve.round(5),
        }
        for name, one in tables.items():
            with write_whole(folder / f"{name}.csv") as file:
                one.to_csv(file, index=False, lineterminator="\n")
        samples = intervals.assign(dataset=DATASET, apex_source="spotted", fps=spotted.fps)
        samples["path"] = samples["path"].str.removeprefix("flows/")
        write_samples(conform(samples), folder / "flows" / "samples.csv")
        record = _record(video, folder, spotted, settings, reader, seen, fps, with_faces, model)
        write_json(folder / "run.json", record)
        view = make_view(
            clip, [one.expression for one in shown], lambda number: spotted.alignment_at(number, settings.size),
            method=settings.method, device=device, with_faces=with_faces, track=track,
        )  # fmt: skip
        with write_whole(folder / "report.html") as file:
            file.write(render_video_report(record, intervals, spotted, shown, view, with_faces))
        return Analysis(intervals, tables["units"], tables["curve"], spotted.fps, record, folder)


def _begin(flows: Path, video: Path, spotted: Spotting, settings: Settings) -> pd.DataFrame:
    """The expressions as rows, and a flow folder without the flows of earlier runs."""
    table = spotted.intervals.assign(dataset=DATASET, subject=video.stem, clip=video.stem, status="", message="")
    table["path"] = [flow_path(row) for row in table.to_dict("records")]
    record = run_record(settings.record(), video, table)
    record["inputs"] = {DATASET: str(video.resolve())}
    earlier_run(flows, record, overwrite=True)
    write_json(flows / "run.json", record)
    return table


def _faces_in(clip: Clip, number: int, settings: Settings) -> int:
    return len(detect_faces(clip.frame(number), settings.align))


def _measure(clip: Clip, row: dict[str, Any], spotted: Spotting, settings: Settings) -> tuple[Expression | None, int]:
    """The flow of one expression, as :func:`mer.extract_flow` makes it, of the face that was followed; and how many
    faces there were.
    """
    images = dict(clip.frames([row["onset"], row["apex"]]))
    onset, apex = images[row["onset"]], images[row["apex"]]
    faces = detect_faces(onset, settings.align)
    if not faces:
        return None, 0
    followed = spotted.key_at(row["onset"]).box
    found = min(faces, key=lambda one: float(np.abs(one.box - followed).sum()))
    alignment = align_face(found.landmarks, settings.size)
    crops = crop(onset, alignment), crop(apex, alignment)
    landmarks = transform(found.landmarks, alignment.matrix)
    flow = estimate_flow(*crops, method=settings.method, landmarks=landmarks, device=settings.device)
    frames = {name: int(row[name]) for name in ("onset", "apex", "offset")}
    return Expression(**frames, alignment=alignment, landmarks=landmarks, crops=crops, flow=flow), len(faces)


def _units(flow: Flow, scale: float) -> list[dict[str, Any]]:
    """Action units with intensities, each as one row of `units.csv`."""
    sides = action_units(flow.expression, scale, crop="aligned", sides=True)
    rows = []
    for unit in UNITS_READ:
        left, right = (sides.get(f"{side}{unit}", sides.get(unit, 0.0)) for side in "LR")
        row = {"intensity": (left + right) / 2, "left": left, "right": right}
        rows.append({"unit": unit, "name": FACS_NAMES[unit]} | {key: round(v, 4) for key, v in row.items()})
    return rows


def _intervals(rows: list[dict[str, Any]], reader: Reader) -> pd.DataFrame:
    chances = [f"p_{name}" for name in reader.classes]
    columns = ["subject", "clip", "onset", "apex", "offset", *TIMES, "kind", "strength", "emotion", *chances,
               "status", "message", "scale", "path"]  # fmt: skip
    table = pd.DataFrame(rows).reindex(columns=columns)
    table["path"] = "flows/" + table["path"].astype(str)
    return table


def _record(
    video: Path, folder: Path, spotted: Spotting, settings: Settings, reader: Reader, seen: int, fps: float | None,
    with_faces: bool, model: str | Path | None,
) -> dict[str, Any]:  # fmt: skip
    run = run_record(settings.record(), video, pd.DataFrame({"dataset": [DATASET]}))
    given = {"--out": folder, "--model": model, "--method": run["method"], "--fps": fps, "--face": settings.face,
             "--align": settings.align, "--size": settings.size}  # fmt: skip
    options = [str(part) for name, value in given.items() if value is not None for part in (name, value)]
    eyes = [float(np.linalg.norm(key.landmarks[33, :2] - key.landmarks[263, :2])) for key in spotted.keys]
    face = {
        "seen at most": seen,
        "followed": settings.face,
        "share of frames": round(float(spotted.curve["strength"].notna().mean()), 4),
        "pixels between the eyes": round(float(np.median(eyes)), 1),
    }
    return {
        "command": shlex.join(["mer", "analyze", str(video), *options, *([] if with_faces else ["--no-faces"])]),
        "versions": run["versions"],
        "video": {"path": str(video.resolve()), "frames": spotted.frames, "fps": spotted.fps},
        "face": face,
        "spotting": {"method": spotted.method, "threshold": spotted.threshold},
        "flow": settings.record(),
        "model": {"name": reader.name, "file": None if model is None else str(model), "labeled": reader.labeled}
        | {"component": reader.component, "classes": list(reader.classes), "record": reader.record},
        "sha256": {"video": _digest(video)} | ({"model": reader.sha256} if reader.sha256 else {}),
        "notes": _notes(face, spotted, settings),
    }


def _notes(face: dict[str, Any], spotted: Spotting, settings: Settings) -> list[str]:
    """What a reader has to know of this video, a sentence each."""
    notes = []
    if face["seen at most"] > 1:
        others = " or ".join(f"--face {name}" for name in FACES if name != settings.face)
        notes.append(
            f"There are {face['seen at most']} faces in it. The {settings.face} one at the start was followed; "
            f"{others} takes another."
        )
    if face["share of frames"] < 0.98:
        notes.append(
            f"A face was found in {100 * face['share of frames']:.0f} % of the frames; the others say nothing."
        )
    if spotted.fps < FRAMES_A_SECOND:
        notes.append(
            f"At {spotted.fps:.3g} frames a second, a micro-expression of a fifth of a second is "
            f"{max(1, round(spotted.fps / 5))} frames: the shortest ones can be missed. Laboratories record 100 to 200."
        )
    if face["pixels between the eyes"] < EYES:
        notes.append(
            f"The eyes are {face['pixels between the eyes']:.0f} pixels apart in the video; small motions of the skin "
            f"need {EYES} and more."
        )
    return notes


def _digest(video: Path) -> str:
    """SHA-256 of a file, or of a folder's files one after the other."""
    digest = hashlib.sha256()
    for path in [video] if video.is_file() else sorted(path for path in video.iterdir() if path.is_file()):
        with open(path, "rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()
