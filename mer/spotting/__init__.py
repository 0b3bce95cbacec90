"""Spotting: onset, apex and offset of each expression in a long video, and how good that is.

>>> import mer
>>> found = mer.spot("interview.mp4")                           # doctest: +SKIP
>>> found.intervals                                             # doctest: +SKIP
"""

from mer.spotting.evaluation import SpottingResult, evaluate_spotting
from mer.spotting.folder import spot_folder
from mer.spotting.motion import KeyFrame
from mer.spotting.spotting import Spotting, spot

__all__ = ["KeyFrame", "Spotting", "SpottingResult", "evaluate_spotting", "spot", "spot_folder"]
