"""Find onset, apex and offset of each expression in long videos, and score them.

>>> import mer
>>> found = mer.spot("interview.mp4")                           # doctest: +SKIP
>>> found.intervals                                             # doctest: +SKIP
"""

from mer.spotting.face_motion import KeyFrame
from mer.spotting.spot_dataset import spot_folder
from mer.spotting.spot_video import Spotting, spot
from mer.spotting.spotting_result import SpottingResult, evaluate_spotting

__all__ = ["KeyFrame", "Spotting", "SpottingResult", "evaluate_spotting", "spot", "spot_folder"]
