"""`mer.analyze`: from one video to a report of its expressions, with flow, action units and emotion of each.

The tables and the flow folder next to the report are inputs of other commands.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from mer.datasets.action_units import FACS_NAMES
from mer.datasets.samples import conform, write_samples
from mer.datasets.video import Clip, ClipError, open_clip
from mer.datasets.video_folder import DATASET
from mer.extraction.expression import ClipFault
from mer.extraction.flow_folder import earlier_run, flow_path, run_record
from mer.extraction.methods import Method
from mer.extraction.settings import ExtractionSettings
from mer.face import detect_faces
from mer.flow import Flow, save_flow
from mer.models.action_unit_reader import UNITS_READ, action_units
from mer.models.emotion_reader import EmotionReader
from mer.spotting.analysis_record import analysis_record
from mer.spotting.measure_interval import measure_interval, settings_for
from mer.spotting.spot_video import Spotting, spot, write_table
from mer.spotting.video_page import render_video_report
from mer.spotting.viewer_data import ShownExpression, make_view
from mer.utils.atomic_files import write_json, write_whole
from mer.utils.folder_lock import lock_folder
from mer.utils.progress import Track, untracked

MAX_SHOWN = 40  # expressions with pictures in the report, the strongest; the tables and the flow folder have all
TIMES = ("onset_time", "apex_time", "offset_time", "seconds")
UNIT_COLUMNS = ("onset", "unit", "name", "intensity", "left", "right")


@dataclass(frozen=True, eq=False)
class Analysis:
    """The analysis of a video.

    Attributes
    ----------
    intervals : DataFrame
        One row per expression: `subject, clip, onset, apex, offset` (frames), `onset_time, apex_time, offset_time,
        seconds, kind, strength` as in :class:`mer.spotting.Spotting`, `emotion`, `p_<class>` for each class of the
        model, `status, message, scale` as in a samples table, and `path`, the flow file. `mer extract-flow` accepts it
        as `--annotations`.
    units : DataFrame
        One row per expression and action unit: `onset, unit, name, intensity, left, right`.
    curve : DataFrame
        One row per sampled frame; see :class:`mer.spotting.Spotting`.
    fps : float
    record : dict
        Command, settings, versions, hashes, model and notes, as in `run.json`.
    folder : Path
        The folder with all files.
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
    """Spot the expressions of a video, measure and read each, and write a report.

    Parameters
    ----------
    video : str or Path
        A video file, or a folder of numbered frames.
    out : str or Path, optional
        The folder to write: `report.html`, `intervals.csv`, `units.csv`, `curve.csv`, `run.json` and the flow folder
        `flows`; by default `analysis/<name of the video>`.
    model : str or Path, optional
        A file of `mer train classifier`. By default the networks that come with mer read three classes; they were
        trained on rendered faces only, without labeled clips (`docs/zero_shot.md`).
    method, align, size : optional
        As in :func:`mer.extract_flow`; by default as for the training data of the model, else `decflow`, `mediapipe`
        and 224.
    fps : float, optional
        Frames per second, for a folder of frames, or if the file has a wrong rate.
    face : {"largest", "left", "right"}
        Which face to track if there are several.
    with_faces : bool
        Whether the report shows the frames. Leave them out before you pass on a report of another person's face.
    device : str
        `auto`, `cpu` or `cuda`, for flow methods that are networks.
    track : function, optional
        Wraps iterators, to show progress.

    Raises
    ------
    ValueError
        If the video cannot be read or shows no face, or a name is unknown.
    FileNotFoundError

    Examples
    --------
    >>> found = mer.analyze("me.mp4")                                # doctest: +SKIP
    >>> found.intervals[["onset", "apex", "offset", "emotion"]]      # doctest: +SKIP
    """
    video, track = Path(video), track or untracked
    reader = EmotionReader.load(model)
    settings = settings_for(reader, method=method, align=align, size=size, face=face, device=device)
    folder = Path("analysis") / video.stem if out is None else Path(out)
    with lock_folder(folder):
        spotting = spot(video, fps=fps, face=face, align=settings.align, device=device, track=track)
        if not spotting.keys:
            raise ValueError(
                f"no face was found in {video}; it should be frontal and at least a tenth of the image wide"
            )
        clip = open_clip(video)
        table = _start_flow_folder(folder / "flows", video, spotting, settings)
        rows, shown, n_faces = _read_expressions(clip, table, spotting, reader, settings, folder / "flows", track)
        intervals, units = _tables(rows, reader)
        record = analysis_record(
            video, folder, spotting, settings, reader, n_faces, fps=fps, model=model, with_faces=with_faces
        )  # fmt: skip
        analysis = Analysis(intervals, units, spotting.curve.round(5), spotting.fps, record, folder)
        _write_tables(analysis)
        view = make_view(
            clip, shown, lambda number: spotting.alignment_at(number, settings.size),
            method=settings.method, device=device, with_faces=with_faces, track=track,
        )  # fmt: skip
        with write_whole(analysis.report) as file:
            file.write(render_video_report(record, intervals, spotting, shown, view, with_faces))
    return analysis


def _start_flow_folder(flows: Path, video: Path, spotting: Spotting, settings: ExtractionSettings) -> pd.DataFrame:
    """Remove the flows of earlier runs, write the record of the new ones, and return one row per expression."""
    table = spotting.intervals.assign(dataset=DATASET, subject=video.stem, clip=video.stem, status="", message="")
    table["path"] = [flow_path(row) for row in table.to_dict("records")]
    record = run_record(settings.record(), video, table)
    record["inputs"] = {DATASET: str(video.resolve())}
    earlier_run(flows, record, overwrite=True)
    write_json(flows / "run.json", record)
    return table


def _read_expressions(
    clip: Clip,
    table: pd.DataFrame,
    spotting: Spotting,
    reader: EmotionReader,
    settings: ExtractionSettings,
    flows: Path,
    track: Track,
) -> tuple[list[dict[str, Any]], list[ShownExpression], int]:
    """Measure and read each expression, and write its flow.

    Returns
    -------
    rows : list of dict
        The rows of the table, each with its results; `units` holds those of the action units.
    shown : list of ShownExpression
        The strongest ones.
    n_faces : int
        The most faces seen in one frame.
    """
    strongest = set(table["strength"].astype(float).nlargest(MAX_SHOWN).index)
    rows: list[dict[str, Any]] = []
    shown: list[ShownExpression] = []
    n_faces = _count_faces(clip, spotting.keys[0].number, settings)
    intervals = table.to_dict("records")
    for i, row in enumerate(track(intervals, len(intervals), "expressions") if intervals else []):
        try:
            expression = measure_interval(clip, spotting, row, settings)
        except (ClipFault, ClipError) as fault:
            rows.append(row | {"status": getattr(fault, "status", "unreadable"), "message": str(fault), "units": []})
            continue
        n_faces = max(n_faces, expression.n_faces)
        save_flow(flows / row["path"], expression.flow)
        scale = expression.alignment.scale
        units = _units(expression.flow, scale)
        emotion, probabilities = reader.read(expression.flow, scale, expression.crops)
        rows.append(
            row | {"status": "ok", "scale": round(scale, 4), "emotion": emotion, "units": units}
            | {f"p_{name}": round(probability, 4) for name, probability in probabilities.items()}
        )  # fmt: skip
        if i in strongest:
            shown.append(ShownExpression(i, row["offset"], expression, units))
    return rows, shown, n_faces


def _count_faces(clip: Clip, number: int, settings: ExtractionSettings) -> int:
    return len(detect_faces(clip.frame(number), settings.align))


def _units(flow: Flow, scale: float) -> list[dict[str, Any]]:
    """Action units with intensities, one dict per row of `units.csv`."""
    sides = action_units(flow.expression, scale, crop="aligned", sides=True)
    rows = []
    for unit in UNITS_READ:
        left, right = (sides.get(f"{side}{unit}", sides.get(unit, 0.0)) for side in "LR")
        intensities = {"intensity": (left + right) / 2, "left": left, "right": right}
        rows.append({"unit": unit, "name": FACS_NAMES[unit]} | {key: round(v, 4) for key, v in intensities.items()})
    return rows


def _tables(rows: list[dict[str, Any]], reader: EmotionReader) -> tuple[pd.DataFrame, pd.DataFrame]:
    """`intervals.csv` and `units.csv`."""
    probabilities = [f"p_{name}" for name in reader.classes]
    columns = ["subject", "clip", "onset", "apex", "offset", *TIMES, "kind", "strength", "emotion", *probabilities,
               "status", "message", "scale", "path"]  # fmt: skip
    intervals = pd.DataFrame(rows).reindex(columns=columns)
    intervals["path"] = "flows/" + intervals["path"].astype(str)
    units = [{"onset": row["onset"]} | unit for row in rows for unit in row["units"]]
    return intervals, pd.DataFrame(units, columns=list(UNIT_COLUMNS))


def _write_tables(analysis: Analysis) -> None:
    """Write the tables, `run.json`, and the samples table of the flow folder."""
    for name in ("intervals", "units", "curve"):
        write_table(getattr(analysis, name), analysis.folder / f"{name}.csv")
    samples = analysis.intervals.assign(dataset=DATASET, apex_source="spotted", fps=analysis.fps)
    samples["path"] = samples["path"].str.removeprefix("flows/")
    write_samples(conform(samples), analysis.folder / "flows" / "samples.csv")
    write_json(analysis.folder / "run.json", analysis.record)
