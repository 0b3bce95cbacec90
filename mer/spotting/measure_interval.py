"""The flow of a spotted interval, made as a model of emotions needs it."""

from __future__ import annotations

from typing import Any

from mer.datasets.video import Clip, ClipError, open_clip
from mer.extraction.expression import ClipFault, Expression, find_onset, measure_expression
from mer.extraction.methods import DEFAULT_METHOD
from mer.extraction.settings import ExtractionSettings
from mer.models.emotion_reader import EmotionReader
from mer.spotting.spot_video import Spotting


def settings_for(reader: EmotionReader, **options: Any) -> ExtractionSettings:
    """Settings of the flow that a reader needs, checked.

    `options` are fields of :class:`mer.extraction.settings.ExtractionSettings`. Those that are None or missing are as
    for the training data of the reader, or the defaults.
    """
    chosen = {name: value for name, value in options.items() if value is not None}
    settings = ExtractionSettings(**{"method": DEFAULT_METHOD, **reader.flow_settings, **chosen})
    settings.check()
    return settings


def measure_interval(
    clip: Clip, spotting: Spotting, interval: dict[str, Any], settings: ExtractionSettings
) -> Expression:
    """The flow from onset to apex of an interval, of the face that was tracked.

    If no face is found in the onset, the face of the key frame before it is used.

    Parameters
    ----------
    clip : Clip
    spotting : Spotting
        Of this clip.
    interval : dict
        A row of `spotting.intervals`.
    settings : ExtractionSettings

    Raises
    ------
    ClipFault
        If the frames differ in size.
    """
    onset = find_onset(clip, interval["onset"], settings, spotting.key_at(interval["onset"]).face)
    return measure_expression(clip, onset, interval["apex"], settings)


def name_emotions(reader: EmotionReader, spotting: Spotting, settings: ExtractionSettings) -> list[str]:
    """The emotion of each interval, in order; empty for an interval whose flow cannot be measured."""
    clip = open_clip(spotting.source)
    names = []
    for interval in spotting.intervals.to_dict("records"):
        try:
            expression = measure_interval(clip, spotting, interval, settings)
        except (ClipFault, ClipError):
            names.append("")
        else:
            names.append(reader.read(expression.flow, expression.alignment.scale, expression.crops)[0])
    return names
